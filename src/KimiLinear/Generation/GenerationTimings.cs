namespace KimiLinear.Generation;

/// <summary>What one reply took. Only time spent computing counts, not the time a reader let it wait.</summary>
public sealed record GenerationTimings
{
    /// <summary>Gets the number of tokens in the prompt.</summary>
    public required int PromptTokenCount { get; init; }

    /// <summary>Gets the number of tokens generated, the one that ended the reply included.</summary>
    public required int GeneratedTokenCount { get; init; }

    /// <summary>Gets the time from the start to the first token: the prompt's pass and the first draw.</summary>
    public required TimeSpan TimeToFirstToken { get; init; }

    /// <summary>Gets the time all tokens after the first took.</summary>
    public required TimeSpan DecodeDuration { get; init; }

    /// <summary>Gets the prompt tokens read per second.</summary>
    public double PrefillTokensPerSecond => PerSecond(PromptTokenCount, TimeToFirstToken);

    /// <summary>Gets the tokens generated per second after the first; 0 when there was only one.</summary>
    public double DecodeTokensPerSecond => PerSecond(GeneratedTokenCount - 1, DecodeDuration);

    private static double PerSecond(int count, TimeSpan duration) => count == 0 ? 0 : count / duration.TotalSeconds;
}
