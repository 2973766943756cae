using System.Text.Json.Serialization;

namespace Kimi.Evaluation.Runs;

/// <summary>One reply to one item, and how it was judged: a line of a run's <c>items.jsonl</c>.</summary>
internal sealed record ItemResult
{
    public required string Benchmark { get; init; }

    public required string Id { get; init; }

    /// <summary>Which of the item's replies this is, from 0.</summary>
    public required int Sample { get; init; }

    /// <summary>The hash of the messages that the model got.</summary>
    public required string PromptSha256 { get; init; }

    public IReadOnlyDictionary<string, string> Groups { get; init; } = new Dictionary<string, string>();

    public string? Expected { get; init; }

    public required string Output { get; init; }

    public string? Extracted { get; init; }

    /// <summary>One of the names of <see cref="Evaluation.Outcome"/>.</summary>
    public required string Outcome { get; init; }

    public string? Detail { get; init; }

    /// <summary>Whether it passed, for each score.</summary>
    public required IReadOnlyDictionary<string, bool> Scores { get; init; }

    public long? InputTokens { get; init; }

    public long? OutputTokens { get; init; }

    public string? FinishReason { get; init; }

    /// <summary>How long the model took.</summary>
    public double Seconds { get; init; }

    /// <summary>What tells it from all others of a run.</summary>
    [JsonIgnore]
    public (string Id, int Sample) Key => (Id, Sample);
}
