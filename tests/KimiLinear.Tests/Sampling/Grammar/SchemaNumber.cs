using System.Globalization;
using System.Numerics;

namespace KimiLinear.Tests.Sampling;

/// <summary>A JSON number as a fraction, compared without rounding.</summary>
internal readonly record struct SchemaNumber(BigInteger Numerator, BigInteger Denominator)
{
    public bool IsWhole => Numerator % Denominator == 0;

    public static SchemaNumber Parse(string text)
    {
        string[] halves = text.ToLowerInvariant().Split('e');
        int exponent = halves.Length > 1 ? int.Parse(halves[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : 0;
        string[] sides = halves[0].Split('.');
        string fraction = sides.Length > 1 ? sides[1] : "";
        BigInteger digits = BigInteger.Parse(sides[0] + fraction, CultureInfo.InvariantCulture);
        exponent -= fraction.Length;
        return exponent >= 0
            ? new SchemaNumber(digits * BigInteger.Pow(10, exponent), 1)
            : new SchemaNumber(digits, BigInteger.Pow(10, -exponent));
    }

    public int CompareTo(SchemaNumber other) => (Numerator * other.Denominator).CompareTo(other.Numerator * Denominator);

    public bool IsMultipleOf(SchemaNumber step) => Numerator * step.Denominator % (Denominator * step.Numerator) == 0;
}
