using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>How what a sequence remembers lies in memory.</summary>
/// <remarks>
/// The fixed part of a sequence is a slot of float32 values: per Kimi Delta layer the recurrent state [H, V, K] and the last
/// inputs of the three convolutions [W − 1, 3·H·K], oldest first. The growing part is a list of pages: per latent layer the
/// rows [PageTokens, R + P] in the latent precision. One page id serves all latent layers.
/// </remarks>
internal sealed class CacheLayout(KimiLinearConfig config, LatentPrecision precision = LatentPrecision.Float32)
{
    /// <summary>Tokens per page.</summary>
    public const int PageTokens = 64;

    // Integers of a part come in whole vectors of any width, with zeros behind them, so that their kernels need no tails.
    private const int IntegerGranularity = 32;

    public LatentPrecision Precision { get; } = precision;

    public int DeltaLayerCount { get; } = config.DeltaLayerCount;

    public int LatentLayerCount { get; } = config.LatentLayerCount;

    /// <summary>Values of one layer's recurrent state.</summary>
    public long StateLength { get; } = (long)config.DeltaHeadCount * config.DeltaHeadDim * config.DeltaHeadDim;

    /// <summary>Values of one layer's convolution tails.</summary>
    public long TailLength { get; } = (config.ConvolutionWidth - 1L) * 3 * config.DeltaDim;

    /// <summary>Values of the latent part of a row (R).</summary>
    public int Rank { get; } = config.LatentRank;

    /// <summary>Values of the key part all heads share (P).</summary>
    public int SharedLength { get; } = config.QkRopeHeadDim;

    /// <summary>Values one token leaves in one latent layer (R + P).</summary>
    public int RowLength => Rank + SharedLength;

    /// <summary>Integers that the latent part takes; the shared key follows.</summary>
    public int IntegerRank => PaddedLength(Rank);

    /// <summary>Integers that the shared key takes.</summary>
    public int IntegerSharedLength => PaddedLength(SharedLength);

    /// <summary>Integers one row takes.</summary>
    public int IntegerRowLength => IntegerRank + IntegerSharedLength;

    public long SlotLength => DeltaLayerCount * (StateLength + TailLength);

    /// <summary>Bytes of one page in one layer. Integer rows are followed by their scales: [2, PageTokens] float32.</summary>
    public long LayerPageBytes => Precision switch
    {
        LatentPrecision.Float32 => (long)PageTokens * RowLength * sizeof(float),
        LatentPrecision.BFloat16 => (long)PageTokens * RowLength * sizeof(ushort),
        _ => PageTokens * (((long)IntegerRowLength * sizeof(short)) + (2 * sizeof(float))),
    };

    public long PageBytes => LatentLayerCount * LayerPageBytes;

    /// <summary>Pages that hold this many tokens.</summary>
    public static int PagesFor(int tokenCount) => (int)((tokenCount + (PageTokens - 1L)) / PageTokens);

    /// <summary>The next whole number of vectors of integers.</summary>
    public static int PaddedLength(int length) => (length + IntegerGranularity - 1) / IntegerGranularity * IntegerGranularity;
}
