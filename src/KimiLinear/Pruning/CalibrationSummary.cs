namespace KimiLinear.Pruning;

/// <summary>The calibration data of one observation: what was used, and how it was prepared.</summary>
public sealed record CalibrationSummary
{
    /// <summary>Gets the files, in the order in which they were read.</summary>
    public required IReadOnlyList<CalibrationSource> Sources { get; init; }

    /// <summary>Gets the largest number of tokens of one sequence.</summary>
    public required int MaxSequenceTokens { get; init; }

    /// <summary>Gets whether what is longer was cut; otherwise it was left out.</summary>
    public required bool Truncated { get; init; }

    /// <summary>Gets whether several records shared one sequence; otherwise each had its own.</summary>
    public required bool Packed { get; init; }

    /// <summary>Gets the limit on tokens that was asked for; <see langword="null"/> when there was none.</summary>
    public required long? MaxTokens { get; init; }

    /// <summary>Gets the limit on records that was asked for; <see langword="null"/> when there was none.</summary>
    public long? MaxRecords { get; init; }

    /// <summary>Gets the seed that chose the records; <see langword="null"/> when they were taken in order.</summary>
    public required int? Seed { get; init; }

    /// <summary>
    /// Gets the SHA-256 of all token ids in hexadecimal, each sequence with its length in front; <see cref="CalibrationTokens"/>
    /// fills it in.
    /// </summary>
    public string TokenHash { get; init; } = "";

    /// <summary>Gets the number of sequences.</summary>
    public required long SequenceCount { get; init; }

    /// <summary>Gets the number of tokens.</summary>
    public required long TokenCount { get; init; }
}
