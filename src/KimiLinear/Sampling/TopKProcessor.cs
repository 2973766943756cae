namespace KimiLinear.Sampling;

/// <summary>Keeps exactly the k highest logits; where they tie, the lower indices.</summary>
internal sealed class TopKProcessor(int k) : ILogitsProcessor
{
    private readonly int[] _bucketCounts = new int[LogitRanking.BucketCount];

    public void Process(in LogitsContext context, Span<float> logits)
    {
        if (k >= logits.Length)
        {
            return;
        }

        uint threshold = 0;
        int remaining = k;
        for (int pass = 0; pass < LogitRanking.PassCount; pass++)
        {
            CountDigits(logits, pass, threshold);

            int digit = LogitRanking.BucketCount - 1;
            while (_bucketCounts[digit] < remaining)
            {
                remaining -= _bucketCounts[digit--];
            }

            threshold |= (uint)digit << LogitRanking.DigitShift(pass);
        }

        LogitRanking.Mask(logits, LogitRanking.FromKey(threshold), keptTies: remaining);
    }

    private void CountDigits(ReadOnlySpan<float> logits, int pass, uint prefix)
    {
        Span<int> counts = _bucketCounts;
        counts.Clear();
        int shift = LogitRanking.DigitShift(pass);
        uint digitMask = LogitRanking.DigitMask(pass), prefixMask = LogitRanking.PrefixMask(pass);
        foreach (float logit in logits)
        {
            uint key = LogitRanking.Key(logit);
            if ((key & prefixMask) == prefix)
            {
                counts[(int)((key >> shift) & digitMask)]++;
            }
        }
    }
}
