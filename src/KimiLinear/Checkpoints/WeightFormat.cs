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
}
