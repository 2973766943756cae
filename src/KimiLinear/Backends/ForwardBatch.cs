using System.Diagnostics;

namespace KimiLinear.Backends;

/// <summary>The tokens of several sequences end to end, with what each sequence remembers and which rows want logits.</summary>
/// <remarks>
/// Prefill, decode and both mixed are the same call; there is no padding. Tokens that replies write come before those of prompts. The object is reused between steps: filling it does
/// not allocate once its buffers are large enough.
/// </remarks>
internal sealed class ForwardBatch
{
    private int[] _tokenIds = new int[16];
    private int[] _offsets = new int[5];
    private int[] _cachedTokens = new int[4];
    private int[] _slots = new int[4];
    private int[][] _pageTables = new int[4][];
    private int[] _logitsRows = new int[4];

    public int TokenCount { get; private set; }

    /// <summary>How many of the tokens replies write: the first ones. The others are prompts'.</summary>
    public int ReplyTokenCount { get; private set; }

    public int SequenceCount { get; private set; }

    /// <summary>How many rows want logits.</summary>
    public int LogitsRowCount { get; private set; }

    public ReadOnlySpan<int> TokenIds => _tokenIds.AsSpan(0, TokenCount); // [T]

    public ReadOnlySpan<int> LogitsRows => _logitsRows.AsSpan(0, LogitsRowCount); // ascending token rows

    /// <summary>First token row of a sequence; the next one's first row ends it.</summary>
    public int Offset(int sequence) => _offsets[sequence];

    public int TokenCountOf(int sequence) => _offsets[sequence + 1] - _offsets[sequence];

    /// <summary>Tokens the sequence had before this call (S).</summary>
    public int CachedTokens(int sequence) => _cachedTokens[sequence];

    public int Slot(int sequence) => _slots[sequence];

    /// <summary>Page ids of the sequence, enough for its cached and new tokens.</summary>
    public int[] PageTable(int sequence) => _pageTables[sequence];

    public void Clear()
    {
        Array.Clear(_pageTables, 0, SequenceCount);
        TokenCount = 0;
        ReplyTokenCount = 0;
        SequenceCount = 0;
        LogitsRowCount = 0;
    }

    public void Add(
        ReadOnlySpan<int> tokenIds, int slot, int[] pageTable, int cachedTokens, LogitsRequest logits, bool isPrompt = false)
    {
        Debug.Assert(!tokenIds.IsEmpty, "A sequence takes part with at least one token.");
        Debug.Assert(isPrompt || ReplyTokenCount == TokenCount, "Prompts come last.");
        EnsureLength(ref _tokenIds, TokenCount + tokenIds.Length);
        EnsureLength(ref _offsets, SequenceCount + 2);
        EnsureLength(ref _cachedTokens, SequenceCount + 1);
        EnsureLength(ref _slots, SequenceCount + 1);
        EnsureLength(ref _pageTables, SequenceCount + 1);

        tokenIds.CopyTo(_tokenIds.AsSpan(TokenCount));
        _offsets[SequenceCount] = TokenCount;
        _cachedTokens[SequenceCount] = cachedTokens;
        _slots[SequenceCount] = slot;
        _pageTables[SequenceCount] = pageTable;
        AddLogitsRows(tokenIds.Length, logits);
        TokenCount += tokenIds.Length;
        ReplyTokenCount += isPrompt ? 0 : tokenIds.Length;
        SequenceCount++;
        _offsets[SequenceCount] = TokenCount;
    }

    private void AddLogitsRows(int tokenCount, LogitsRequest logits)
    {
        int wanted = logits switch
        {
            LogitsRequest.None => 0,
            LogitsRequest.LastToken => 1,
            _ => tokenCount,
        };
        EnsureLength(ref _logitsRows, LogitsRowCount + wanted);
        for (int row = tokenCount - wanted; row < tokenCount; row++)
        {
            _logitsRows[LogitsRowCount++] = TokenCount + row;
        }
    }

    private static void EnsureLength<T>(ref T[] array, int length)
    {
        if (array.Length < length)
        {
            Array.Resize(ref array, Math.Max(length, array.Length * 2));
        }
    }
}
