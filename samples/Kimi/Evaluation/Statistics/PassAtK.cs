namespace Kimi.Evaluation.Statistics;

/// <summary>The unbiased estimate of pass@k (Chen et al. 2021, arXiv:2107.03374).</summary>
internal static class PassAtK
{
    /// <summary>The chance that one of k is right, where <paramref name="correct"/> of <paramref name="count"/> were.</summary>
    public static double Of(int count, int correct, int k)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, count);
        if (count - correct < k)
        {
            return 1;
        }

        double allWrong = 1;
        for (int i = count - correct + 1; i <= count; i++)
        {
            allWrong *= 1 - ((double)k / i);
        }

        return 1 - allWrong;
    }
}
