namespace Kimi.Evaluation;

/// <summary>How a reply was judged.</summary>
/// <param name="Outcome">One of the names of <see cref="Evaluation.Outcome"/>.</param>
/// <param name="Extracted">What was taken for the answer; <see langword="null"/> when there was none.</param>
/// <param name="Scores">Whether it passed, for each of the benchmark's scores.</param>
/// <param name="Detail">More for a person who asks why; may be <see langword="null"/>.</param>
internal sealed record Verdict(
    string Outcome, string? Extracted, IReadOnlyDictionary<string, bool> Scores, string? Detail = null)
{
    /// <summary>The name of the score of benchmarks that have only one.</summary>
    public const string Accuracy = "accuracy";

    /// <summary>A verdict with the one score.</summary>
    public static Verdict Of(bool isCorrect, string? extracted, string? detail = null) => new(
        isCorrect ? Evaluation.Outcome.Pass : extracted is null ? Evaluation.Outcome.NoAnswer : Evaluation.Outcome.Fail,
        extracted,
        new Dictionary<string, bool> { [Accuracy] = isCorrect },
        detail);
}
