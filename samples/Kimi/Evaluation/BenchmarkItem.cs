using Microsoft.Extensions.AI;

namespace Kimi.Evaluation;

/// <summary>One question of a benchmark, which knows how its answers are judged.</summary>
internal abstract class BenchmarkItem
{
    /// <summary>Its name within the benchmark.</summary>
    public required string Id { get; init; }

    /// <summary>What the model is asked.</summary>
    public required IReadOnlyList<ChatMessage> Messages { get; init; }

    /// <summary>The right answer, for people who read the results; <see langword="null"/> where tests decide.</summary>
    public string? Expected { get; init; }

    /// <summary>The groups it belongs to, such as its difficulty; each group is also scored by itself.</summary>
    public IReadOnlyDictionary<string, string> Groups { get; init; } = new Dictionary<string, string>();

    /// <summary>When the problem was published; <see langword="null"/> where files do not say.</summary>
    public DateOnly? Date { get; init; }

    /// <summary>The scores it gives; the last is the one that counts.</summary>
    public virtual IReadOnlyList<string> ScoreNames => [Verdict.Accuracy];

    /// <summary>Judges a reply.</summary>
    public abstract Task<Verdict> GradeAsync(string reply, Graders graders, CancellationToken cancellationToken);
}
