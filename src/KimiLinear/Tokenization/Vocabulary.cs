using System.Numerics;

namespace KimiLinear.Tokenization;

/// <summary>The ordinary tokens: the bytes of each rank, and the rank of given bytes. Filled once, then only read.</summary>
internal sealed class Vocabulary
{
    /// <summary>What <see cref="FindRank"/> returns for bytes that are no token.</summary>
    public const int NoRank = -1;

    private readonly byte[] _bytes;
    private readonly int[] _offsets;
    private readonly int[] _slots; // rank + 1 at a place given by the hash; 0 is free
    private int _longestLength;

    /// <summary>Makes room for <paramref name="maxCount"/> tokens of <paramref name="maxBytes"/> bytes together.</summary>
    public Vocabulary(int maxCount, int maxBytes)
    {
        _bytes = new byte[maxBytes];
        _offsets = new int[maxCount + 1];

        // Half empty at most, so that a search ends after a step or two.
        _slots = new int[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(maxCount, 1) * 2)];
    }

    /// <summary>Gets the number of tokens; ranks run from 0 to this, exclusive.</summary>
    public int Count { get; private set; }

    /// <summary>Gets the bytes of the token with the given rank.</summary>
    public ReadOnlySpan<byte> this[int rank] => _bytes.AsSpan(_offsets[rank].._offsets[rank + 1]);

    /// <summary>Adds a token with the next rank, unless its bytes are a token already.</summary>
    public bool TryAdd(ReadOnlySpan<byte> token)
    {
        int slot = FindSlot(token);
        if (_slots[slot] != 0)
        {
            return false;
        }

        int offset = _offsets[Count];
        token.CopyTo(_bytes.AsSpan(offset));
        Count++;
        _offsets[Count] = offset + token.Length;
        _slots[slot] = Count;
        _longestLength = Math.Max(_longestLength, token.Length);
        return true;
    }

    /// <summary>Gets the rank of the token with exactly these bytes, or <see cref="NoRank"/>.</summary>
    public int FindRank(ReadOnlySpan<byte> token) =>
        token.Length > _longestLength ? NoRank : _slots[FindSlot(token)] - 1;

    private int FindSlot(ReadOnlySpan<byte> token)
    {
        int mask = _slots.Length - 1;
        int slot = (int)Hash(token) & mask;
        while (_slots[slot] != 0 && !this[_slots[slot] - 1].SequenceEqual(token))
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    // FNV-1a, folded: tokens are a few bytes long.
    private static uint Hash(ReadOnlySpan<byte> token)
    {
        uint hash = 2166136261;
        foreach (byte value in token)
        {
            hash = (hash ^ value) * 16777619;
        }

        return hash ^ (hash >> 15);
    }
}
