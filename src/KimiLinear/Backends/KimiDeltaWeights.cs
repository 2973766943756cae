using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The weights of one Kimi Delta Attention layer.</summary>
internal sealed record KimiDeltaWeights
{
    public required Tensor Norm { get; init; } // [D]

    /// <summary>q over k over v over f_a over g_a over beta.</summary>
    public required Tensor Projection { get; init; } // [3·H·K + G_f + G_g + H, D]

    public required Tensor QueryConvolution { get; init; } // [W, H·K]

    public required Tensor KeyConvolution { get; init; } // [W, H·K]

    public required Tensor ValueConvolution { get; init; } // [W, H·V]

    public required Tensor DecayGateUp { get; init; } // [H·K, G_f]

    public required Tensor DecayLog { get; init; } // [H]

    public required Tensor DecayBias { get; init; } // [H·K]

    public required Tensor OutputGateUp { get; init; } // [H·V, G_g]

    public required Tensor OutputNorm { get; init; } // [V]

    public required Tensor Output { get; init; } // [D, H·V]

    /// <summary>Width of the low-rank step of the decay gate (G_f).</summary>
    public int DecayGateRank => (int)DecayGateUp.Shape[1];

    /// <summary>Width of the low-rank step of the output gate (G_g).</summary>
    public int OutputGateRank => (int)OutputGateUp.Shape[1];

    public int ProjectionDim => (int)Projection.Shape[0];
}
