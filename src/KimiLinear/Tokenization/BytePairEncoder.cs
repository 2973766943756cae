using System.Text;

namespace KimiLinear.Tokenization;

/// <summary>Turns one piece of text into tokens by merging byte pairs. Holds scratch memory: one per encoding call.</summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 finds the same tokens, and the tests hold this class against it, but it searches all pairs
/// again for every merge: a piece of 100,000 bytes, which a line of symbols reaches, takes seconds where a heap takes
/// milliseconds. It also writes lone surrogates as invalid UTF-8 and takes a lock for every piece.
/// </remarks>
internal sealed class BytePairEncoder(Vocabulary vocabulary)
{
    private const int MinCapacity = 256;

    // The parts of the piece are a linked list over byte positions: a part is named by its first byte.
    private byte[] _bytes = [];
    private int[] _next = [];
    private int[] _previous = [];
    private int[] _id = [];
    private int[] _pairRank = []; // of the part and its right neighbour together; NoRank if that is no token

    // Lowest rank first; among equals, the leftmost.
    private readonly PriorityQueue<int, long> _pairs = new();

    /// <summary>Appends the tokens of <paramref name="piece"/>, which the pre-tokenizer found.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> destination)
    {
        EnsureCapacity(Encoding.UTF8.GetMaxByteCount(piece.Length));
        int length = Encoding.UTF8.GetBytes(piece, _bytes);

        int whole = vocabulary.FindRank(_bytes.AsSpan(0, length));
        if (whole != Vocabulary.NoRank)
        {
            destination.Add(whole);
            return;
        }

        SplitIntoBytes(length);
        while (_pairs.TryDequeue(out int position, out long priority))
        {
            // An entry is out of date once either part of its pair has merged with another.
            if (_pairRank[position] == (int)(priority >> 32))
            {
                Merge(position, length);
            }
        }

        for (int position = 0; position < length; position = _next[position])
        {
            destination.Add(_id[position]);
        }
    }

    private void SplitIntoBytes(int length)
    {
        for (int i = 0; i < length; i++)
        {
            _next[i] = i + 1;
            _previous[i] = i - 1;
            _id[i] = vocabulary.FindRank(_bytes.AsSpan(i, 1));
        }

        for (int i = 0; i < length; i++)
        {
            RankPair(i, length);
        }
    }

    private void Merge(int left, int length)
    {
        int right = _next[left];
        int after = _next[right];
        _id[left] = _pairRank[left];
        _pairRank[right] = Vocabulary.NoRank;
        _next[left] = after;
        if (after < length)
        {
            _previous[after] = left;
        }

        RankPair(left, length);
        if (left > 0)
        {
            RankPair(_previous[left], length);
        }
    }

    private void RankPair(int left, int length)
    {
        int right = _next[left];
        int rank = right < length ? vocabulary.FindRank(_bytes.AsSpan(left.._next[right])) : Vocabulary.NoRank;
        _pairRank[left] = rank;
        if (rank != Vocabulary.NoRank)
        {
            _pairs.Enqueue(left, ((long)rank << 32) | (uint)left);
        }
    }

    private void EnsureCapacity(int length)
    {
        if (_bytes.Length < length)
        {
            int capacity = Math.Max(length, Math.Max(MinCapacity, _bytes.Length * 2));
            _bytes = new byte[capacity];
            _next = new int[capacity];
            _previous = new int[capacity];
            _id = new int[capacity];
            _pairRank = new int[capacity];
        }
    }
}
