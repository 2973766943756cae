using Kimi.Evaluation.Runs;
using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Reports;

/// <summary>What a finished run says: a run's <c>report.json</c>.</summary>
internal sealed record RunSummary
{
    public required RunProtocol Run { get; init; }

    /// <summary>The scores over all items, then the main one over each group.</summary>
    public required IReadOnlyList<ScoreRow> Scores { get; init; }

    /// <summary>The chance that one of so many replies is right; only when items have several.</summary>
    public required double? PassAtSamples { get; init; }

    /// <summary>How many replies had which outcome.</summary>
    public required IReadOnlyDictionary<string, int> Outcomes { get; init; }

    /// <summary>Replies that were cut off at the limit of tokens.</summary>
    public required int Truncated { get; init; }

    /// <summary>Replies that repeat themselves: fewer than 55 % of their sequences of four words are distinct.</summary>
    public required int Degenerate { get; init; }

    public required long InputTokens { get; init; }

    public required long OutputTokens { get; init; }

    /// <summary>The sum of what the replies took; with several at a time, more than the run.</summary>
    public required double Seconds { get; init; }

    public static RunSummary Of(RunProtocol protocol, IReadOnlyList<ItemResult> results)
    {
        ulong seed = (ulong)protocol.Seed;
        string[] names = [.. results.SelectMany(result => result.Scores.Keys).Distinct()];
        List<ScoreRow> scores = [.. names.Select(name => ScoreRow.Of(name, null, ByItem(results, name), seed))];
        foreach (string group in results.SelectMany(result => result.Groups.Keys).Distinct())
        {
            scores.AddRange(results
                .Where(result => result.Groups.ContainsKey(group))
                .GroupBy(result => result.Groups[group])
                .OrderBy(members => members.Key, StringComparer.Ordinal)
                .Select(members => ScoreRow.Of(
                    protocol.MainScore, $"{group}: {members.Key}", ByItem(members, protocol.MainScore), seed)));
        }

        return new RunSummary
        {
            Run = protocol,
            Scores = scores,
            PassAtSamples = protocol.Samples == 1 ? null : ByItem(results, protocol.MainScore).Average(
                item => PassAtK.Of(item.Length, item.Count(passed => passed), item.Length)),
            Outcomes = results.CountBy(result => result.Outcome)
                .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .ToDictionary(),
            Truncated = results.Count(result => result.FinishReason == "length"),
            Degenerate = results.Count(result => Repetition.IsDegenerate(result.Output)),
            InputTokens = results.Sum(result => result.InputTokens ?? 0),
            OutputTokens = results.Sum(result => result.OutputTokens ?? 0),
            Seconds = results.Sum(result => result.Seconds),
        };
    }

    private static bool[][] ByItem(IEnumerable<ItemResult> results, string score) =>
    [
        .. results.GroupBy(result => result.Id, result => result.Scores.GetValueOrDefault(score))
            .Select(item => item.ToArray()),
    ];
}
