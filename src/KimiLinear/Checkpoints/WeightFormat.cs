namespace KimiLinear.Checkpoints;

/// <summary>How a model's large matrices are stored. What decides and what remembers stays in bfloat16 or float32 in all of them.</summary>
public enum WeightFormat
{
    /// <summary>As the source stores them.</summary>
    Source,

    /// <summary>16 bits a weight, as published.</summary>
    BFloat16,

    /// <summary>8.5 bits a weight.</summary>
    Q8,

    /// <summary>4.5 bits a weight; the table of token embeddings at 8.5.</summary>
    Q4,

    /// <summary>4.5 bits a weight for the routed experts, 8.5 for what every token reads.</summary>
    Q4Q8,

    /// <summary>
    /// 8-bit floats (e4m3) with a scale for each block of 128 × 128 weights; the table of token embeddings in bfloat16. Weights
    /// can be converted to it while they are loaded, not packed into it.
    /// </summary>
    Float8,
}
