namespace KimiLinear.Backends;

/// <summary>What a weight is for; a backend decides by it how the weight lies in its memory.</summary>
internal enum WeightRole
{
    /// <summary>Small and read value by value: norms, decay, router bias. Kept in float32.</summary>
    Vector,

    /// <summary>The taps of a depthwise convolution, stored [C, 1, W]. Kept in float32, tap by tap: [W, C].</summary>
    Convolution,

    /// <summary>A row per token id, looked up.</summary>
    Embedding,

    /// <summary>One matrix, its parts stacked by rows.</summary>
    Projection,

    /// <summary>One matrix that an operator of attention multiplies by itself, in whatever direction.</summary>
    WithinAttention,

    /// <summary>A matrix whose products choose experts. Never below the precision it is stored in.</summary>
    Router,

    /// <summary>Per expert two parts, gate over up.</summary>
    ExpertGateUp,

    /// <summary>Per expert one part.</summary>
    ExpertDown,
}
