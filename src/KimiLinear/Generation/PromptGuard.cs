using System.Globalization;
using KimiLinear.Configuration;

namespace KimiLinear.Generation;

/// <summary>Refuses prompts that a model cannot read, before anything is computed.</summary>
internal static class PromptGuard
{
    /// <summary>Throws when a prompt is empty, holds an id the model does not have, or is longer than its context.</summary>
    public static void Require(ReadOnlySpan<int> promptTokenIds, KimiLinearConfig config)
    {
        if (promptTokenIds.IsEmpty)
        {
            throw new ArgumentException("The prompt is empty. Pass at least one token.", nameof(promptTokenIds));
        }

        if (promptTokenIds.Length > config.MaxContextTokens)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The prompt has {promptTokenIds.Length:N0} tokens, but the model accepts at most " +
                    $"{config.MaxContextTokens:N0}. Shorten it or summarise earlier turns."),
                nameof(promptTokenIds));
        }

        for (int i = 0; i < promptTokenIds.Length; i++)
        {
            if ((uint)promptTokenIds[i] >= (uint)config.VocabularySize)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(promptTokenIds),
                    promptTokenIds[i],
                    $"The token id at index {i} must be between 0 and {config.VocabularySize - 1}.");
            }
        }
    }
}
