using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Sizes of what a sequence remembers, in values.</summary>
/// <remarks>
/// The fixed part of a sequence is a slot: per Kimi Delta layer the recurrent state [H, V, K] and the last inputs of the three
/// convolutions [W − 1, 3·H·K], oldest first. The growing part is a list of pages: per latent layer [PageTokens, R + P].
/// One page id serves all latent layers.
/// </remarks>
internal sealed class CacheLayout(KimiLinearConfig config)
{
    /// <summary>Tokens per page.</summary>
    public const int PageTokens = 64;

    /// <summary>Bytes of one value: what a sequence remembers is kept in float32.</summary>
    public const int ValueBytes = sizeof(float);

    public int DeltaLayerCount { get; } = config.DeltaLayerCount;

    public int LatentLayerCount { get; } = config.LatentLayerCount;

    /// <summary>Values of one layer's recurrent state.</summary>
    public long StateLength { get; } = (long)config.DeltaHeadCount * config.DeltaHeadDim * config.DeltaHeadDim;

    /// <summary>Values of one layer's convolution tails.</summary>
    public long TailLength { get; } = (config.ConvolutionWidth - 1L) * 3 * config.DeltaDim;

    /// <summary>Values one token leaves in one latent layer.</summary>
    public int RowLength { get; } = config.LatentCacheDim;

    public long SlotLength => DeltaLayerCount * (StateLength + TailLength);

    public long PageLength => (long)LatentLayerCount * PageTokens * RowLength;

    /// <summary>Pages that hold this many tokens.</summary>
    public static int PagesFor(int tokenCount) => (tokenCount + PageTokens - 1) / PageTokens;
}
