namespace Kimi.Evaluation;

/// <summary>A benchmark: how its files are read, and how models are asked.</summary>
/// <param name="Name">What it is called on the command line.</param>
/// <param name="Title">Its own name.</param>
/// <param name="Protocol">In one sentence: prompt, extraction and scoring. Scores of other protocols do not compare.</param>
/// <param name="MaxTokens">The most tokens of a reply, unless the user says otherwise.</param>
/// <param name="Read">Reads the items of a file in the benchmark's own format.</param>
internal sealed record Benchmark(
    string Name, string Title, string Protocol, int MaxTokens, Func<DataFile, IReadOnlyList<BenchmarkItem>> Read)
{
    /// <summary>Whether judging runs programs that the model wrote.</summary>
    public bool RunsPrograms { get; init; }

    /// <summary>Whether a model may judge the answers.</summary>
    public bool TakesJudge { get; init; }

    /// <summary>The most tokens of a prompt, middle removed; <see langword="null"/> leaves prompts whole.</summary>
    public int? MaxInputTokens { get; init; }
}
