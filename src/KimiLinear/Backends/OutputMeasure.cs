namespace KimiLinear.Backends;

/// <summary>How large the output of an expert is.</summary>
internal static class OutputMeasure
{
    /// <summary>The Euclidean norm, summed in float64 in the order of the values, and the largest absolute value.</summary>
    public static (double Norm, float Maximum) Of(ReadOnlySpan<float> output)
    {
        double sum = 0;
        float maximum = 0;
        foreach (float value in output)
        {
            sum += (double)value * value;
            maximum = MathF.Max(maximum, MathF.Abs(value));
        }

        return (Math.Sqrt(sum), maximum);
    }
}
