namespace KimiLinear.Sampling;

/// <summary>Keeps the fewest tokens, likeliest first, whose probabilities together reach p; ties go to the lower index.</summary>
internal sealed class TopPProcessor(float p, int vocabularySize) : ILogitsProcessor
{
    private readonly float[] _weights = new float[vocabularySize];
    private readonly double[] _bucketMasses = new double[LogitRanking.BucketCount];

    public void Process(in LogitsContext context, Span<float> logits)
    {
        Span<float> weights = _weights.AsSpan(0, logits.Length);
        LogitsArithmetic.Exponentials(logits, LogitsArithmetic.Max(logits), weights);

        uint threshold = 0;
        double total = 0, above = 0;
        for (int pass = 0; pass < LogitRanking.PassCount; pass++)
        {
            SumDigits(logits, weights, pass, threshold);
            if (pass == 0)
            {
                total = Total();
            }

            int digit = FirstReaching(ref above, total);
            threshold |= (uint)digit << LogitRanking.DigitShift(pass);
        }

        float thresholdLogit = LogitRanking.FromKey(threshold);
        int kept = KeptTies(logits, weights, thresholdLogit, above, total);
        LogitRanking.Mask(logits, thresholdLogit, kept);
    }

    private void SumDigits(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, int pass, uint prefix)
    {
        Span<double> masses = _bucketMasses;
        masses.Clear();
        int shift = LogitRanking.DigitShift(pass);
        uint digitMask = LogitRanking.DigitMask(pass), prefixMask = LogitRanking.PrefixMask(pass);
        for (int i = 0; i < logits.Length; i++)
        {
            uint key = LogitRanking.Key(logits[i]);
            if ((key & prefixMask) == prefix)
            {
                masses[(int)((key >> shift) & digitMask)] += weights[i];
            }
        }
    }

    private double Total()
    {
        double total = 0;
        for (int digit = _bucketMasses.Length - 1; digit >= 0; digit--)
        {
            total += _bucketMasses[digit];
        }

        return total;
    }

    // Buckets are entered from the top. When rounding leaves all of them short, the lowest that weighs anything ends it.
    private int FirstReaching(ref double above, double total)
    {
        int last = 0;
        double aboveLast = above;
        for (int digit = _bucketMasses.Length - 1; digit >= 0; digit--)
        {
            double mass = _bucketMasses[digit];
            if (mass == 0)
            {
                continue;
            }

            (last, aboveLast) = (digit, above);
            if (Reaches(above + mass, total))
            {
                break;
            }

            above += mass;
        }

        above = aboveLast;
        return last;
    }

    private int KeptTies(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float threshold, double above, double total)
    {
        int kept = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (logits[i] == threshold)
            {
                kept++;
                above += weights[i];
                if (Reaches(above, total))
                {
                    break;
                }
            }
        }

        return kept;
    }

    // Compared in float32, the precision p is stated in: six of ten equal tokens reach 0.6.
    private bool Reaches(double mass, double total) => (float)(mass / total) >= p;
}
