namespace Kimi.Evaluation.Statistics;

/// <summary>The exact test of McNemar (1947): two models on the same items, of which those count where they differ.</summary>
internal static class McNemar
{
    /// <summary>The two-sided p-value: how likely a split as uneven as this, or more so, is from a fair coin.</summary>
    /// <param name="onlyFirst">Items that only the first model gets right.</param>
    /// <param name="onlySecond">Items that only the second model gets right.</param>
    public static double PValue(int onlyFirst, int onlySecond)
    {
        int count = onlyFirst + onlySecond;
        int fewer = Math.Min(onlyFirst, onlySecond);
        double logChoose = 0;
        double tail = 0;
        for (int i = 0; i <= fewer; i++)
        {
            // In logarithms, because 2^-count may be too small for a number.
            tail += Math.Exp(logChoose - (count * Math.Log(2)));
            logChoose += Math.Log(count - i) - Math.Log(i + 1);
        }

        return Math.Min(1, 2 * tail);
    }
}
