using KimiLinear.Backends;
using KimiLinear.Caching;

namespace KimiLinear.Model;

/// <summary>One sequence's part in a step.</summary>
/// <param name="Sequence">The sequence to extend.</param>
/// <param name="TokenIds">Its new tokens, at least one.</param>
/// <param name="Logits">After which of them logits are wanted.</param>
/// <param name="IsPrompt">
/// Whether a prompt has them, else a reply; how activations are rounded depends on it. Prompts come last in a step.
/// </param>
internal readonly record struct BatchEntry(
    SequenceState Sequence, ReadOnlyMemory<int> TokenIds, LogitsRequest Logits, bool IsPrompt = false);
