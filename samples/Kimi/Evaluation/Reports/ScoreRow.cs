using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Reports;

/// <summary>One score of a run, over all items or over a group of them.</summary>
/// <param name="Name">The score.</param>
/// <param name="Group">The group, such as "difficulty: hard"; <see langword="null"/> for all items.</param>
/// <param name="Items">How many items it is over.</param>
/// <param name="Correct">How many replies passed.</param>
/// <param name="Replies">How many replies there are.</param>
/// <param name="Value">The share that passed, first over each item's replies, then over the items.</param>
/// <param name="Interval">The interval of 95 %.</param>
/// <param name="Method">How the interval was found: wilson or bootstrap.</param>
internal sealed record ScoreRow(
    string Name, string? Group, int Items, int Correct, int Replies, double Value, Interval Interval, string Method)
{
    /// <summary>Scores some results: one reply an item by Wilson, several by drawing items.</summary>
    /// <param name="name">The score.</param>
    /// <param name="group">The group; <see langword="null"/> for all items.</param>
    /// <param name="passedByItem">For each item, which of its replies passed.</param>
    /// <param name="seed">Makes the draws repeatable.</param>
    public static ScoreRow Of(string name, string? group, IReadOnlyList<bool[]> passedByItem, ulong seed)
    {
        double[] shares = [.. passedByItem.Select(item => item.Average(passed => passed ? 1.0 : 0.0))];
        int replies = passedByItem.Sum(item => item.Length);
        int correct = passedByItem.Sum(item => item.Count(passed => passed));
        bool isSingle = replies == shares.Length;
        return new ScoreRow(
            name,
            group,
            shares.Length,
            correct,
            replies,
            shares.Average(),
            isSingle ? Wilson.Of(correct, replies) : Bootstrap.OfMean(shares, seed),
            isSingle ? "wilson" : "bootstrap");
    }
}
