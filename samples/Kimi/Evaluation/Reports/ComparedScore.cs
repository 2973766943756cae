using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Reports;

/// <summary>One score of two models, item by item.</summary>
/// <param name="Name">The score.</param>
/// <param name="A">The first model's value.</param>
/// <param name="IntervalOfA">Its interval of 95 %.</param>
/// <param name="B">The second model's value.</param>
/// <param name="IntervalOfB">Its interval of 95 %.</param>
/// <param name="Difference">B − A.</param>
/// <param name="IntervalOfDifference">Its interval of 95 %, from drawing pairs.</param>
/// <param name="OnlyA">Items that only the first gets right; <see langword="null"/> when items have several replies.</param>
/// <param name="OnlyB">Items that only the second gets right.</param>
/// <param name="PValue">McNemar's exact test of those two numbers.</param>
internal sealed record ComparedScore(
    string Name,
    double A,
    Interval IntervalOfA,
    double B,
    Interval IntervalOfB,
    double Difference,
    Interval IntervalOfDifference,
    int? OnlyA,
    int? OnlyB,
    double? PValue)
{
    /// <summary>The level below which a difference counts as one.</summary>
    public const double Level = 0.05;

    /// <summary>Compares what passed.</summary>
    /// <param name="name">The score.</param>
    /// <param name="a">For each item, which of the first model's replies passed.</param>
    /// <param name="b">The same of the second model, in the same order.</param>
    /// <param name="seed">Makes the draws repeatable.</param>
    public static ComparedScore Of(string name, bool[][] a, bool[][] b, ulong seed)
    {
        double[] differences = [.. a.Zip(b, (first, second) => Share(second) - Share(first))];
        ScoreRow rowOfA = Row(a), rowOfB = Row(b);
        bool isSingle = a.All(item => item.Length == 1) && b.All(item => item.Length == 1);
        int onlyA = differences.Count(difference => difference < 0);
        int onlyB = differences.Count(difference => difference > 0);
        return new ComparedScore(
            name,
            rowOfA.Value,
            rowOfA.Interval,
            rowOfB.Value,
            rowOfB.Interval,
            differences.Average(),
            Bootstrap.OfMean(differences, seed),
            isSingle ? onlyA : null,
            isSingle ? onlyB : null,
            isSingle ? McNemar.PValue(onlyA, onlyB) : null);

        ScoreRow Row(bool[][] items) => ScoreRow.Of(name, null, items, seed);
    }

    /// <summary>The result in words, which is what most readers take from a table.</summary>
    public string Words => IsDifferent
        ? $"{(Difference > 0 ? "B" : "A")} is better"
        : "no difference shown";

    private bool IsDifferent => PValue is double p ? p < Level : IntervalOfDifference.Low > 0 || IntervalOfDifference.High < 0;

    private static double Share(bool[] passed) => passed.Average(one => one ? 1.0 : 0.0);
}
