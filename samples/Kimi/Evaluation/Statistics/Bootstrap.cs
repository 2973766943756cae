namespace Kimi.Evaluation.Statistics;

/// <summary>
/// Percentile intervals from drawing the items anew, with replacement (Efron 1979): the spread that other items of the same
/// kind would have brought.
/// </summary>
internal static class Bootstrap
{
    /// <summary>How many times the items are drawn.</summary>
    public const int Draws = 10_000;

    /// <summary>The interval of 95 % for a mean over items.</summary>
    /// <param name="values">One value for each item.</param>
    /// <param name="seed">Makes the draws repeatable.</param>
    public static Interval OfMean(IReadOnlyList<double> values, ulong seed) =>
        OfRatio(values, [.. Enumerable.Repeat(1.0, values.Count)], seed);

    /// <summary>The interval of 95 % for a ratio of two sums over items, such as loss over tokens.</summary>
    /// <param name="numerators">What each item adds above.</param>
    /// <param name="denominators">What each item adds below; positive.</param>
    /// <param name="seed">Makes the draws repeatable.</param>
    public static Interval OfRatio(IReadOnlyList<double> numerators, IReadOnlyList<double> denominators, ulong seed)
    {
        int count = numerators.Count;
        ArgumentOutOfRangeException.ThrowIfZero(count);
        SplitMix64 random = new(seed);
        double[] ratios = new double[Draws];
        for (int draw = 0; draw < Draws; draw++)
        {
            double above = 0, below = 0;
            for (int i = 0; i < count; i++)
            {
                int item = random.Below(count);
                above += numerators[item];
                below += denominators[item];
            }

            ratios[draw] = above / below;
        }

        Array.Sort(ratios);
        return new Interval(Quantile(ratios, 0.025), Quantile(ratios, 0.975));
    }

    // Between the two nearest values in a straight line, as NumPy does unless told otherwise.
    private static double Quantile(double[] sorted, double share)
    {
        double place = share * (sorted.Length - 1);
        int below = (int)place;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (place - below));
    }
}
