namespace KimiLinear.Tests.TestSupport;

/// <summary>
/// The well-known 4-bit format with superblocks of 256 values (Q4_K), as llama.cpp quantises it: the measure to meet.
/// </summary>
/// <remarks>
/// Per block of 32 a scale and an offset of 6 bits each, which share a half-precision scale and offset per superblock; the
/// search weighs an error by the value's magnitude. Only what a reader gets back is computed, not the bytes.
/// </remarks>
internal static class Q4KQuantizer
{
    public const int SuperblockValues = 256;

    private const int BlockValues = 32;
    private const int BlockCount = SuperblockValues / BlockValues;
    private const int MaxCode = 15;
    private const int SearchSteps = 20;

    /// <summary>Quantises values and reads them back.</summary>
    public static float[] RoundTrip(ReadOnlySpan<float> values)
    {
        float[] result = new float[values.Length];
        for (int i = 0; i < values.Length; i += SuperblockValues)
        {
            RoundTripSuperblock(values.Slice(i, SuperblockValues), result.AsSpan(i, SuperblockValues));
        }

        return result;
    }

    private static void RoundTripSuperblock(ReadOnlySpan<float> values, Span<float> result)
    {
        float[] scales = new float[BlockCount];
        float[] offsets = new float[BlockCount];
        for (int block = 0; block < BlockCount; block++)
        {
            (scales[block], offsets[block]) = Search(values.Slice(block * BlockValues, BlockValues));
        }

        float largestScale = MathF.Max(0, scales.Max());
        float largestOffset = MathF.Max(0, offsets.Max());
        float scaleUnit = (float)(Half)(largestScale / 63);
        float offsetUnit = (float)(Half)(largestOffset / 63);
        for (int block = 0; block < BlockCount; block++)
        {
            float scale = scaleUnit * SixBits(scales[block], largestScale);
            float offset = offsetUnit * SixBits(offsets[block], largestOffset);
            for (int i = block * BlockValues; i < (block + 1) * BlockValues; i++)
            {
                int code = scale == 0 ? 0 : Code((values[i] + offset) / scale);
                result[i] = (scale * code) - offset;
            }
        }
    }

    private static (float Scale, float Offset) Search(ReadOnlySpan<float> x)
    {
        float[] weights = Weights(x);
        (float min, float max, float sumOfWeights, float sumOfValues) = (x[0], x[0], 0, 0);
        for (int i = 0; i < x.Length; i++)
        {
            min = MathF.Min(min, x[i]);
            max = MathF.Max(max, x[i]);
            sumOfWeights += weights[i];
            sumOfValues += weights[i] * x[i];
        }

        min = MathF.Min(min, 0);
        if (max == min)
        {
            return (0, -min);
        }

        int[] codes = new int[x.Length];
        float scale = (max - min) / MaxCode;
        FillCodes(x, MaxCode / (max - min), min, codes);
        float bestError = Error(x, weights, codes, scale, min);

        // A better minimum also moves the grids tried after it.
        for (int step = 0; step <= SearchSteps; step++)
        {
            FillCodes(x, (-1 + (0.1f * step) + MaxCode) / (max - min), min, codes);
            (float sumOfCodes, float sumOfSquares, float sumOfProducts) = (0, 0, 0);
            for (int i = 0; i < x.Length; i++)
            {
                sumOfCodes += weights[i] * codes[i];
                sumOfSquares += weights[i] * codes[i] * codes[i];
                sumOfProducts += weights[i] * codes[i] * x[i];
            }

            float determinant = (sumOfWeights * sumOfSquares) - (sumOfCodes * sumOfCodes);
            if (determinant <= 0)
            {
                continue;
            }

            float fittedScale = ((sumOfWeights * sumOfProducts) - (sumOfValues * sumOfCodes)) / determinant;
            float fittedMin = ((sumOfSquares * sumOfValues) - (sumOfCodes * sumOfProducts)) / determinant;
            if (fittedMin > 0)
            {
                (fittedScale, fittedMin) = (sumOfProducts / sumOfSquares, 0);
            }

            float error = Error(x, weights, codes, fittedScale, fittedMin);
            if (error < bestError)
            {
                (bestError, scale, min) = (error, fittedScale, fittedMin);
            }
        }

        return (scale, -min);
    }

    private static float[] Weights(ReadOnlySpan<float> x)
    {
        float sumOfSquares = 0;
        foreach (float value in x)
        {
            sumOfSquares += value * value;
        }

        float magnitude = MathF.Sqrt(sumOfSquares / x.Length);
        float[] weights = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            weights[i] = magnitude + MathF.Abs(x[i]);
        }

        return weights;
    }

    private static void FillCodes(ReadOnlySpan<float> x, float inverseScale, float min, int[] codes)
    {
        for (int i = 0; i < x.Length; i++)
        {
            codes[i] = Code(inverseScale * (x[i] - min));
        }
    }

    private static float Error(ReadOnlySpan<float> x, float[] weights, int[] codes, float scale, float min)
    {
        float error = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float difference = (scale * codes[i]) + min - x[i];
            error += weights[i] * difference * difference;
        }

        return error;
    }

    private static int SixBits(float value, float largest) =>
        largest > 0 ? Math.Min(63, (int)MathF.Round(63 / largest * value)) : 0;

    private static int Code(float value) => Math.Clamp((int)MathF.Round(value), 0, MaxCode);
}
