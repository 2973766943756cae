namespace KimiLinear.Sampling;

/// <summary>What a logits processor may look at: the tokens that lead to the one being drawn.</summary>
/// <param name="promptTokenIds">The prompt, first token first.</param>
/// <param name="generatedTokenIds">The tokens generated so far, first token first; empty before the first one.</param>
public readonly ref struct LogitsContext(ReadOnlySpan<int> promptTokenIds, ReadOnlySpan<int> generatedTokenIds)
{
    /// <summary>Gets the prompt, first token first.</summary>
    public ReadOnlySpan<int> PromptTokenIds { get; } = promptTokenIds;

    /// <summary>Gets the tokens generated so far, first token first; empty before the first one.</summary>
    public ReadOnlySpan<int> GeneratedTokenIds { get; } = generatedTokenIds;
}
