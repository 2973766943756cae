namespace Kimi.Evaluation.Statistics;

/// <summary>The interval of Wilson (1927) for a share of independent trials; it stays within 0 and 1.</summary>
internal static class Wilson
{
    // The normal distribution's quantile at 97.5 %.
    private const double Z = 1.959963984540054;

    /// <summary>The interval of 95 % for a share of <paramref name="successes"/> in <paramref name="trials"/>.</summary>
    public static Interval Of(int successes, int trials)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(trials);
        ArgumentOutOfRangeException.ThrowIfNegative(successes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(successes, trials);
        double share = (double)successes / trials;
        double shrink = 1 + (Z * Z / trials);
        double centre = share + (Z * Z / (2.0 * trials));
        double reach = Z * Math.Sqrt((share * (1 - share) / trials) + (Z * Z / (4.0 * trials * trials)));

        // The ends at 0 and at 1 are exact; rounding must not leave something like 1e-17 of them.
        return new Interval(
            successes == 0 ? 0 : (centre - reach) / shrink,
            successes == trials ? 1 : (centre + reach) / shrink);
    }
}
