using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The weights of one dense feed-forward layer.</summary>
internal sealed record DenseMlpWeights
{
    public required Tensor Norm { get; init; } // [D]

    public required Tensor GateUp { get; init; } // [2·F, D]

    public required Tensor Down { get; init; } // [D, F]
}
