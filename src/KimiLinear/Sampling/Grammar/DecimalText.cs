using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace KimiLinear.Sampling;

/// <summary>A number of a schema, exactly: digits times a power of ten.</summary>
/// <param name="Digits">The digits, with the sign.</param>
/// <param name="Exponent">The power of ten.</param>
internal readonly record struct DecimalText(BigInteger Digits, int Exponent)
{
    /// <summary>The largest power of ten of a number that is only compared.</summary>
    public const int MaxComparedExponent = 5000;

    // Far beyond float64; keeps a hostile exponent from filling the memory.
    private const int MaxExponent = 400;

    /// <summary>Tells whether a JSON number of any size has nothing but zeros behind the point.</summary>
    public static bool IsWhole(JsonElement number)
    {
        string[] parts = number.GetRawText().Split('e', 'E');
        int point = parts[0].IndexOf('.', StringComparison.Ordinal);
        int fraction = point < 0 ? 0 : parts[0].Length - point - 1;
        string digits = parts[0].TrimStart('-').Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimEnd('0').Length;

        long exponent = 0;
        if (parts.Length > 1
            && !long.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
        {
            // Beyond all digits too.
            exponent = parts[1][0] == '-' ? long.MinValue : long.MaxValue;
        }

        return zeros == digits.Length || exponent >= fraction - zeros;
    }

    /// <summary>Reads a JSON number; <see langword="null"/> if it is none, or so large or small that it is of no use.</summary>
    /// <param name="element">The number.</param>
    /// <param name="maxExponent">The largest power of ten, and the smallest when negative, that is read.</param>
    public static DecimalText? Parse(JsonElement element, int maxExponent = MaxExponent)
    {
        if (element.ValueKind != JsonValueKind.Number)
        {
            return null;
        }

        string[] parts = element.GetRawText().Split('e', 'E');
        int exponent = 0;
        bool isReadable = parts.Length == 1
            || int.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent);
        int point = parts[0].IndexOf('.', StringComparison.Ordinal);
        int fraction = point < 0 ? 0 : parts[0].Length - point - 1;
        if (parts[0].AsSpan().TrimStart('-').Trim("0.").IsEmpty)
        {
            // Zero, whatever its power of ten.
            return new DecimalText(BigInteger.Zero, 0);
        }

        if (!isReadable || Math.Abs((long)exponent) > maxExponent || parts[0].Length > maxExponent)
        {
            return null;
        }

        BigInteger digits = BigInteger.Parse(
            parts[0].Replace(".", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        exponent -= fraction;
        while (!digits.IsZero && digits % 10 == 0)
        {
            digits /= 10;
            exponent++;
        }

        return new DecimalText(digits, digits.IsZero ? 0 : exponent);
    }

    /// <summary>Tells which number is greater: 1 for this one, -1 for the other, 0 for neither.</summary>
    public int CompareTo(DecimalText other)
    {
        int fractionDigits = Math.Max(0, -Math.Min(Exponent, other.Exponent));
        return InUnits(fractionDigits).Units.CompareTo(other.InUnits(fractionDigits).Units);
    }

    /// <summary>Tells whether the number is a whole number of steps, which are above 0.</summary>
    public bool IsMultipleOf(DecimalText step)
    {
        int fractionDigits = Math.Max(0, -Math.Min(Exponent, step.Exponent));
        return (InUnits(fractionDigits).Units % step.InUnits(fractionDigits).Units).IsZero;
    }

    /// <summary>Returns the number in units of a decimal place, rounded down, and whether nothing was rounded.</summary>
    public (BigInteger Units, bool IsExact) InUnits(int fractionDigits)
    {
        int shift = Exponent + fractionDigits;
        if (shift >= 0)
        {
            return (Digits * BigInteger.Pow(10, shift), true);
        }

        var divisor = BigInteger.Pow(10, -shift);
        BigInteger quotient = BigInteger.DivRem(Digits, divisor, out BigInteger remainder);
        return (remainder.Sign < 0 ? quotient - 1 : quotient, remainder.IsZero);
    }
}
