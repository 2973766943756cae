using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The weights of one sparse mixture-of-experts layer.</summary>
internal sealed record SparseMoeWeights
{
    public required Tensor Norm { get; init; } // [D]

    public required Tensor Router { get; init; } // [E, D]

    public required Tensor CorrectionBias { get; init; } // [E]

    public required Tensor ExpertGateUp { get; init; } // [E, 2·F, D]

    public required Tensor ExpertDown { get; init; } // [E, D, F]

    /// <summary>The shared experts as one; <see langword="null"/> when the model has none.</summary>
    public required Tensor? SharedGateUp { get; init; } // [2·F, D]

    public required Tensor? SharedDown { get; init; } // [D, F]
}
