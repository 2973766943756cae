using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Sampling;

/// <summary>The ordinary tokens that may come next. Few are kept as a list, many as bits. Immutable.</summary>
internal sealed class TokenMask
{
    /// <summary>The most tokens that are kept as a list.</summary>
    public const int MaxListed = 1024;

    private readonly int[]? _list;
    private readonly ulong[]? _bits;

    /// <summary>Initializes a new instance of the <see cref="TokenMask"/> class.</summary>
    /// <param name="bits">A bit per token id; copied.</param>
    public TokenMask(ReadOnlySpan<ulong> bits)
    {
        Count = (int)Sum(bits);
        if (Count > MaxListed)
        {
            _bits = bits.ToArray();
            return;
        }

        _list = new int[Count];
        int next = 0;
        for (int word = 0; word < bits.Length; word++)
        {
            for (ulong rest = bits[word]; rest != 0; rest &= rest - 1)
            {
                _list[next++] = (word * 64) + BitOperations.TrailingZeroCount(rest);
            }
        }
    }

    /// <summary>Gets the number of tokens.</summary>
    public int Count { get; }

    /// <summary>Gets the number of bytes that the mask takes.</summary>
    public int ByteCount => ((_bits?.Length ?? 0) * sizeof(ulong)) + ((_list?.Length ?? 0) * sizeof(int));

    /// <summary>Tells whether a token may come.</summary>
    public bool Contains(int tokenId) => _bits is null
        ? Array.BinarySearch(_list!, tokenId) >= 0
        : tokenId >> 6 < _bits.Length && ((_bits[tokenId >> 6] >> (tokenId & 63)) & 1) != 0;

    /// <summary>Forbids all tokens that must not come.</summary>
    /// <param name="logits">The scores, of which the first are those of the ordinary tokens. [N]</param>
    /// <param name="scratch">Room for <see cref="MaxListed"/> scores.</param>
    public void Apply(Span<float> logits, Span<float> scratch)
    {
        if (_bits is not null)
        {
            Apply(_bits, logits);
            return;
        }

        Keep(_list, logits, scratch);
    }

    /// <summary>Forbids all tokens but some.</summary>
    /// <param name="tokenIds">The tokens.</param>
    /// <param name="logits">The scores. [N]</param>
    /// <param name="scratch">Room for as many scores.</param>
    public static void Keep(ReadOnlySpan<int> tokenIds, Span<float> logits, Span<float> scratch)
    {
        for (int i = 0; i < tokenIds.Length; i++)
        {
            scratch[i] = tokenIds[i] < logits.Length ? logits[tokenIds[i]] : 0;
        }

        logits.Fill(float.NegativeInfinity);
        for (int i = 0; i < tokenIds.Length; i++)
        {
            if (tokenIds[i] < logits.Length)
            {
                logits[tokenIds[i]] = scratch[i];
            }
        }
    }

    private static void Apply(ReadOnlySpan<ulong> bits, Span<float> logits)
    {
        int covered = Math.Min(bits.Length * 64, logits.Length);
        logits[covered..].Fill(float.NegativeInfinity);

        // Eight tokens at a time: a lane keeps its score where its bit of the byte is set.
        ReadOnlySpan<byte> octets = MemoryMarshal.AsBytes(bits);
        Span<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits[..covered]);
        Vector256<int> lanes = Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
        Vector256<float> forbidden = Vector256.Create(float.NegativeInfinity);
        for (int i = 0; i < vectors.Length; i++)
        {
            byte octet = octets[i];
            if (octet != byte.MaxValue)
            {
                Vector256<int> isAllowed = Vector256.Equals(Vector256.Create((int)octet) & lanes, lanes);
                vectors[i] = Vector256.ConditionalSelect(isAllowed.AsSingle(), vectors[i], forbidden);
            }
        }

        for (int i = vectors.Length * Vector256<float>.Count; i < covered; i++)
        {
            if (((bits[i >> 6] >> (i & 63)) & 1) == 0)
            {
                logits[i] = float.NegativeInfinity;
            }
        }
    }

    private static long Sum(ReadOnlySpan<ulong> bits)
    {
        long count = 0;
        foreach (ulong word in bits)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }
}
