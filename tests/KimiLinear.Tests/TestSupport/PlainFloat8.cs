namespace KimiLinear.Tests.TestSupport;

/// <summary>8-bit floats by their definition: what a code stands for, and the nearest code by looking at all of them.</summary>
internal static class PlainFloat8
{
    /// <summary>The value of every code; NaN where it is no number.</summary>
    public static readonly double[] Values = [.. Enumerable.Range(0, 256).Select(ValueOf)];

    private static readonly double[] Magnitudes = Values[..0x7F]; // ascending

    public static byte Nearest(double value)
    {
        double magnitude = Math.Abs(value);
        int best = 0;
        for (int code = 1; code < Magnitudes.Length; code++)
        {
            double gain = Math.Abs(Magnitudes[best] - magnitude) - Math.Abs(Magnitudes[code] - magnitude);
            best = gain > 0 || (gain == 0 && code % 2 == 0) ? code : best;
        }

        return (byte)(double.IsNegative(value) ? best | 0x80 : best);
    }

    private static double ValueOf(int code)
    {
        int exponent = (code >> 3) & 15;
        int mantissa = code & 7;
        double magnitude = exponent == 15 && mantissa == 7 ? double.NaN
            : exponent == 0 ? mantissa / 8.0 * Math.Pow(2, -6)
            : (1 + (mantissa / 8.0)) * Math.Pow(2, exponent - 7);
        return code < 128 ? magnitude : -magnitude;
    }
}
