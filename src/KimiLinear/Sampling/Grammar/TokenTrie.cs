using System.Runtime.CompilerServices;
using KimiLinear.Tokenization;

namespace KimiLinear.Sampling;

/// <summary>The ordinary tokens of a tokenizer as a tree of their bytes, for walking it together with an automaton.</summary>
/// <remarks>
/// Places are numbered from the root, 0, in the order of a walk that goes down first, so that what lies below a place follows it.
/// Immutable. Built once per tokenizer.
/// </remarks>
internal sealed class TokenTrie
{
    /// <summary>What <see cref="TokenIds"/> holds where no token ends.</summary>
    public const int NoToken = -1;

    private static readonly ConditionalWeakTable<KimiTokenizer, TokenTrie> Tries = [];

    private readonly byte[] _bytes;
    private readonly int[] _ends;
    private readonly int[] _depths;
    private readonly int[] _tokenIds;
    private readonly bool[] _hasSpecialText;
    private readonly byte[] _plainLengths;
    private readonly int[][] _withWholeString;

    private TokenTrie(KimiTokenizer tokenizer)
    {
        TokenCount = tokenizer.BaseVocabularySize;
        int[] ids = [.. Enumerable.Range(0, TokenCount).Where(id => tokenizer.GetBytes(id).Length > 0)];
        Array.Sort(ids, (left, right) => tokenizer.GetBytes(left).SequenceCompareTo(tokenizer.GetBytes(right)));
        _plainLengths = new byte[TokenCount];
        _withWholeString = [.. Enum.GetValues<JsonLexicalState>().Select(_ => Array.Empty<int>())];

        TokenTrieBuilder builder = new();
        foreach (int id in ids)
        {
            ReadOnlySpan<byte> bytes = tokenizer.GetBytes(id);
            _plainLengths[id] = TokenText.PlainLength(bytes);
            builder.Add(id, bytes, isPlain: _plainLengths[id] > 0);
            LongestLength = Math.Max(LongestLength, bytes.Length);
        }

        (_bytes, _ends, _depths, _tokenIds, _hasSpecialText) = builder.Build();
        foreach (JsonLexicalState state in Enum.GetValues<JsonLexicalState>())
        {
            _withWholeString[(int)state] = [.. ids.Where(id => TokenText.HasWholeString(tokenizer.GetBytes(id), state)).Order()];
        }
    }

    /// <summary>Gets the number of ordinary token ids.</summary>
    public int TokenCount { get; }

    /// <summary>Gets the number of places.</summary>
    public int PlaceCount => _bytes.Length;

    /// <summary>Gets the number of bytes of the longest token.</summary>
    public int LongestLength { get; }

    /// <summary>Gets the byte that leads to each place.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Gets the place behind all that lie below each place.</summary>
    public ReadOnlySpan<int> Ends => _ends;

    /// <summary>Gets how many bytes lead to each place.</summary>
    public ReadOnlySpan<int> Depths => _depths;

    /// <summary>Gets the token that ends at each place, or <see cref="NoToken"/>.</summary>
    public ReadOnlySpan<int> TokenIds => _tokenIds;

    /// <summary>Gets whether a token that is not plain text ends at each place or below.</summary>
    public ReadOnlySpan<bool> HasSpecialText => _hasSpecialText;

    /// <summary>
    /// Gets the number of characters of each token that is plain text, whole characters that stand for themselves in a JSON
    /// string; 0 for the others. By token id.
    /// </summary>
    public ReadOnlySpan<byte> PlainLengths => _plainLengths;

    /// <summary>Returns the tree of a tokenizer.</summary>
    /// <exception cref="ArgumentException">Some byte is no token, so that not every text can be written.</exception>
    public static TokenTrie Of(KimiTokenizer tokenizer) => Tries.GetValue(tokenizer, static key =>
    {
        TokenTrie trie = new(key);
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            int place = trie.Find(0, [(byte)value]);
            if (place == ByteTrie.None || trie._tokenIds[place] == NoToken)
            {
                throw new ArgumentException(
                    $"The tokenizer has no token for the single byte {value}, so a reply cannot be held to a grammar.",
                    nameof(tokenizer));
            }
        }

        return trie;
    });

    /// <summary>Returns the tokens that contain a whole string, begun and ended, when they are written in a state.</summary>
    public ReadOnlySpan<int> WithWholeString(JsonLexicalState state) => _withWholeString[(int)state];

    /// <summary>Returns the place that bytes lead to, or <see cref="ByteTrie.None"/>.</summary>
    public int Find(int place, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            int end = _ends[place];
            int child = place + 1;
            while (child < end && _bytes[child] != value)
            {
                child = _ends[child];
            }

            if (child >= end)
            {
                return ByteTrie.None;
            }

            place = child;
        }

        return place;
    }
}
