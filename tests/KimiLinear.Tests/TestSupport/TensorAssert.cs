using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Comparisons of numbers.</summary>
internal static class TensorAssert
{
    /// <summary>Root of the mean squared difference over that of the expected values.</summary>
    public static double RelativeRms(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0;
        double magnitude = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            magnitude += Math.Pow(expected[i], 2);
        }

        return Math.Sqrt(difference / magnitude);
    }

    public static void Close(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, double tolerance, string what)
    {
        double error = RelativeRms(actual, expected);
        Assert.True(error <= tolerance, $"{what}: relative RMS error {error:E2} is above {tolerance:E0}.");
    }

    /// <summary>Every value is finite and has the very bits expected.</summary>
    public static void Identical(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool hasSameBits = BitConverter.SingleToUInt32Bits(actual[i]) == BitConverter.SingleToUInt32Bits(expected[i]);
            if (!hasSameBits || !float.IsFinite(actual[i]))
            {
                Assert.Fail($"{what}: value {i} of {expected.Length} is {actual[i]:R}, but must be {expected[i]:R} and finite.");
            }
        }
    }

    public static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            best = values[i] > values[best] ? i : best;
        }

        return best;
    }
}
