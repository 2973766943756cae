namespace KimiLinear.Tensors;

/// <summary>How exactly activations are multiplied with quantised weights. Other weights are always multiplied in float32.</summary>
/// <remarks>
/// 8 bits are used only where they make products faster or have been asked for. With GGUF files that is in experts with 4-bit
/// weights: rounding what the router hears makes it choose other experts, and weights of 5, 6 and 8 bits gain no speed from it.
/// These are multiplied with 15 bits in all settings but <see cref="Float32"/>.
/// </remarks>
public enum ActivationPrecision
{
    /// <summary>
    /// 15 bits where the speed of memory is what limits a step, which is whenever fewer than 32 tokens are computed together,
    /// and for the scores of the next token; 8 bits in longer pieces of a prompt with 4-bit weights, 15 with 8-bit weights.
    /// </summary>
    Auto,

    /// <summary>8 bits whatever the number of tokens.</summary>
    Int8,

    /// <summary>15 bits always.</summary>
    Int16,

    /// <summary>Weights are expanded and multiplied in float32: for comparison, slow.</summary>
    Float32,
}
