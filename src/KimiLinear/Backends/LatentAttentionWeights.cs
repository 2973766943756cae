using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The weights of one multi-head latent attention layer.</summary>
internal sealed record LatentAttentionWeights
{
    public required Tensor Norm { get; init; } // [D]

    /// <summary>q over kv_a.</summary>
    public required Tensor Projection { get; init; } // [H·(Nope + P) + R + P, D]

    public required Tensor LatentNorm { get; init; } // [R]

    /// <summary>Per head the key rows, then the value rows.</summary>
    public required Tensor KeyValueUp { get; init; } // [H·(Nope + V), R]

    public required Tensor Output { get; init; } // [D, H·V]

    public int ProjectionDim => (int)Projection.Shape[0];
}
