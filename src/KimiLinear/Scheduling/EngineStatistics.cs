namespace KimiLinear.Scheduling;

/// <summary>What an engine does now and has done since it was made.</summary>
public sealed record EngineStatistics
{
    /// <summary>Gets the number of requests that have a place among those computed.</summary>
    public required int RunningCount { get; init; }

    /// <summary>Gets the number of those whose readers are too far behind.</summary>
    public required int PausedCount { get; init; }

    /// <summary>Gets the number of requests that wait for a place.</summary>
    public required int WaitingCount { get; init; }

    /// <summary>Gets the number of requests whose reply was computed to its end.</summary>
    public required long CompletedCount { get; init; }

    /// <summary>Gets the number of requests whose readers cancelled or left.</summary>
    public required long CancelledCount { get; init; }

    /// <summary>Gets the number of requests that ended in an error.</summary>
    public required long FailedCount { get; init; }

    /// <summary>Gets the number of requests refused because too many waited.</summary>
    public required long RefusedCount { get; init; }

    /// <summary>Gets the number of times a running request lost its memory to others and began again later.</summary>
    public required long PreemptedCount { get; init; }

    /// <summary>Gets the number of steps computed.</summary>
    public required long StepCount { get; init; }

    /// <summary>Gets the number of prompt tokens read.</summary>
    public required long PromptTokenCount { get; init; }

    /// <summary>Gets the number of prompt tokens that were resumed in place of being read.</summary>
    public required long CachedPromptTokenCount { get; init; }

    /// <summary>Gets the number of tokens generated.</summary>
    public required long GeneratedTokenCount { get; init; }

    /// <summary>Gets the number of tokens that were guessed, see <see cref="EngineOptions.MaxDraftTokens"/>.</summary>
    public required long GuessedTokenCount { get; init; }

    /// <summary>Gets the number of those that were right, and so needed no step of their own.</summary>
    public required long RightlyGuessedTokenCount { get; init; }

    /// <summary>Gets the number of prefixes kept for later requests.</summary>
    public required int PrefixCount { get; init; }

    /// <summary>Gets the number of prefixes in <see cref="EngineOptions.PrefixFolder"/>.</summary>
    public required int StoredPrefixCount { get; init; }

    /// <summary>Gets the bytes that these take there.</summary>
    public required long StoredPrefixBytes { get; init; }

    /// <summary>Gets the bytes that sequences and kept prefixes hold.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Gets the bytes that they may hold.</summary>
    public required long MaxMemoryBytes { get; init; }
}
