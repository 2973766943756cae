namespace KimiLinear.Tensors;

/// <summary>How exactly activations are multiplied with quantised weights. Other weights are always multiplied in float32.</summary>
/// <remarks>
/// What a token's activations are rounded to follows from whether it belongs to a prompt or to a reply, never from how many others
/// are in the step: with every value a reply is the one that its request gets alone. 8 bits are used only where they make products
/// faster or have been asked for. With GGUF files that is in experts with 4-bit weights: rounding what the router hears makes it
/// choose other experts, and weights of 5, 6 and 8 bits gain no speed from it. These are multiplied with 15 bits in all settings but
/// <see cref="Float32"/>.
/// </remarks>
public enum ActivationPrecision
{
    /// <summary>
    /// 8 bits for the tokens of prompts where weights have 4 bits; 15 bits for those of replies, guessed ones included, for the
    /// scores of the next token, and with weights of 8 bits. A caller who runs a single sequence does not say which they are: 32
    /// tokens or more in a call count as a prompt.
    /// </summary>
    Auto,

    /// <summary>
    /// 8 bits for all tokens, and with packed weights of 8 bits 16 with one scale for all columns: the fastest with 4-bit weights and
    /// dozens of replies at once.
    /// </summary>
    Int8,

    /// <summary>15 bits for all tokens.</summary>
    Int16,

    /// <summary>Weights are expanded and multiplied in float32: for comparison, slow.</summary>
    Float32,
}
