namespace KimiLinear.Generation;

/// <summary>What one reply took. Only time spent computing counts, not the time a reader let it wait.</summary>
public sealed record GenerationTimings
{
    /// <summary>Gets the number of tokens in the prompt.</summary>
    public required int PromptTokenCount { get; init; }

    /// <summary>Gets how many tokens of the prompt were not read, since what an earlier request left of them was resumed.</summary>
    public int CachedPromptTokenCount { get; init; }

    /// <summary>Gets the time the request waited for a place among those that run; zero where it had not to wait.</summary>
    public TimeSpan QueueDuration { get; init; }

    /// <summary>Gets the number of tokens generated, the one that ended the reply included.</summary>
    public required int GeneratedTokenCount { get; init; }

    /// <summary>Gets the time from the start to the first token: the prompt's pass and the first draw.</summary>
    public required TimeSpan TimeToFirstToken { get; init; }

    /// <summary>Gets the time all tokens after the first took.</summary>
    public required TimeSpan DecodeDuration { get; init; }

    /// <summary>Gets the prompt tokens read per second, resumed ones not counted.</summary>
    public double PrefillTokensPerSecond => PerSecond(PromptTokenCount - CachedPromptTokenCount, TimeToFirstToken);

    /// <summary>Gets the tokens generated per second after the first; 0 when there was only one.</summary>
    public double DecodeTokensPerSecond => PerSecond(GeneratedTokenCount - 1, DecodeDuration);

    private static double PerSecond(int count, TimeSpan duration) => count == 0 ? 0 : count / duration.TotalSeconds;
}
