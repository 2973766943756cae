using System.Globalization;
using Kimi.CommandLine;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace Kimi.Benchmarking;

/// <summary>What a benchmark measures.</summary>
/// <param name="PromptTokens">The length of the prompt whose prefill is timed; 0 for none.</param>
/// <param name="GeneratedTokens">The number of tokens decoded in one timed run; 0 for none.</param>
/// <param name="Depths">How many tokens are in the context before, one row of decoding for each.</param>
/// <param name="Repeat">The number of timed runs of each row.</param>
/// <param name="LoadOptions">How the model runs.</param>
internal sealed record BenchSettings(
    int PromptTokens, int GeneratedTokens, IReadOnlyList<int> Depths, int Repeat, ModelLoadOptions LoadOptions)
{
    /// <summary>Tokens decoded at every depth before the clock starts, for memory that is made at the first one.</summary>
    public const int DepthWarmUpTokens = 1;

    /// <summary>Refuses a model whose context is too short for what is measured.</summary>
    public void RequireContext(KimiLinearConfig config)
    {
        long decoded = GeneratedTokens == 0 ? 0 : Depths.Max() + DepthWarmUpTokens + ((long)GeneratedTokens * Repeat);
        long needed = Math.Max(PromptTokens, decoded);
        if (needed > config.MaxContextTokens)
        {
            throw new CommandException(string.Create(
                CultureInfo.InvariantCulture,
                $"This would take a context of {needed:N0} tokens, but the model accepts at most {config.MaxContextTokens:N0}. "
                + $"Lower --depth, -p, -n or --repeat."));
        }
    }
}
