using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>What decoding one token moves between memory and processor: the bound on its speed.</summary>
/// <remarks>
/// Each weight the token's pass computes with counts once, as it is stored: of the routed experts those it visits, of the
/// embedding one row. Activations are small and stay in the processor's caches.
/// </remarks>
public sealed record TokenTraffic
{
    private TokenTraffic()
    {
    }

    /// <summary>Gets the number of weights that are read.</summary>
    public required long WeightCount { get; init; }

    /// <summary>Gets the bytes of these weights.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Gets the bytes of the recurrent states, which are read and written.</summary>
    public required long StateBytes { get; init; }

    /// <summary>Gets the bytes of the convolutions' last inputs, which are read and written.</summary>
    public required long ConvolutionBytes { get; init; }

    /// <summary>Gets the bytes of the latent rows of the tokens before, which are read.</summary>
    public required long LatentBytes { get; init; }

    /// <summary>Gets all bytes together.</summary>
    public long TotalBytes => WeightBytes + StateBytes + ConvolutionBytes + LatentBytes;

    /// <summary>Counts what a token moves in a model of a shape and format.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="format">
    /// How its large matrices are stored; <see cref="WeightFormat.Source"/> counts as published, in bfloat16.
    /// </param>
    /// <param name="contextTokens">The tokens before it, at least 0.</param>
    /// <returns>The count.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="config"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="contextTokens"/> is negative.</exception>
    public static TokenTraffic Of(KimiLinearConfig config, WeightFormat format, long contextTokens)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Of(config, tensor => PackingRecipe.ByteCount(format, tensor), contextTokens);
    }

    /// <summary>Counts for weights as a checkpoint holds them.</summary>
    internal static TokenTraffic Of(KimiLinearConfig config, Checkpoint checkpoint, long contextTokens) =>
        Of(config, tensor => checkpoint.Get(tensor.Name).ByteCount, contextTokens);

    private static TokenTraffic Of(KimiLinearConfig config, Func<ExpectedTensor, long> byteCount, long contextTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(contextTokens);
        long weightCount = 0;
        long weightBytes = 0;
        long expertCount = 0;
        long expertBytes = 0;
        foreach (ExpectedTensor tensor in CheckpointSchema.Expected(config))
        {
            long count = tensor.Shape.ElementCount;
            long bytes = byteCount(tensor);
            if (IsExpert(tensor.Name))
            {
                expertCount += count;
                expertBytes += bytes;
                continue;
            }

            weightCount += count;
            weightBytes += bytes;
            if (tensor.Name == WeightNames.TokenEmbedding)
            {
                // One row is looked up; a table that is also the head is read whole besides.
                (long unreadCount, long unreadBytes) = config.TieWordEmbeddings
                    ? (0, 0)
                    : (count - config.HiddenDim, bytes - (bytes / config.VocabularySize));
                weightCount -= unreadCount;
                weightBytes -= unreadBytes;
            }
        }

        CacheLayout layout = new(config);
        const int readAndWritten = 2;
        return new TokenTraffic
        {
            WeightCount = weightCount + Visited(expertCount),
            WeightBytes = weightBytes + Visited(expertBytes),
            StateBytes = readAndWritten * layout.DeltaLayerCount * layout.StateLength * sizeof(float),
            ConvolutionBytes = readAndWritten * layout.DeltaLayerCount * layout.TailLength * sizeof(float),
            LatentBytes = contextTokens * layout.PageBytes / CacheLayout.PageTokens,
        };

        // Experts are all of one size.
        long Visited(long all) => config.ExpertCount == 0 ? 0 : all / config.ExpertCount * config.ActiveExpertCount;
    }

    private static bool IsExpert(string name) =>
        WeightNames.TryParseLayer(name, out _, out string inLayer) && WeightNames.SparseMoe.IsExpert(inLayer);
}
