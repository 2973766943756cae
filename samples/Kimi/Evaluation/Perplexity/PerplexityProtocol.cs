using Kimi.Evaluation.Runs;

namespace Kimi.Evaluation.Perplexity;

/// <summary>Everything that a perplexity depends on.</summary>
internal sealed record PerplexityProtocol
{
    /// <summary>What tells such a run from those of benchmarks.</summary>
    public const string Name = "perplexity";

    public string Benchmark { get; init; } = Name;

    /// <summary>The name of the data file, without its folder.</summary>
    public required string Data { get; init; }

    public required string DataSha256 { get; init; }

    /// <summary>How many documents are read: all of the file, or its first.</summary>
    public required int Documents { get; init; }

    /// <summary>The most tokens of a document; the rest is left out.</summary>
    public required int MaxLength { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    /// <summary>The model's folder.</summary>
    public required string Location { get; init; }

    /// <summary>How the model's weights were converted while loading; <see langword="null"/> when they were not.</summary>
    public string? Format { get; init; }

    /// <summary>The name of the model that it is held against; <see langword="null"/> without one.</summary>
    public string? Reference { get; init; }

    public string? ReferenceLocation { get; init; }

    /// <summary>Seed of the intervals' draws.</summary>
    public required long Seed { get; init; }

    /// <summary>Says in what two protocols differ, in the names of the file.</summary>
    public IEnumerable<string> DifferencesTo(PerplexityProtocol other) => RunFiles.Differences(this, other);
}
