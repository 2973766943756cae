using System.Globalization;

namespace KimiLinear.ToolCalls;

/// <summary>Writes the numbers of a JSON text as Python does.</summary>
internal static class PythonNumber
{
    /// <summary>
    /// What Python writes after reading <paramref name="number"/>. It reads digits alone as an integer of any size, and a number
    /// with a fraction or an exponent as a double.
    /// </summary>
    public static string Format(string number)
    {
        if (!number.AsSpan().ContainsAny('.', 'e', 'E'))
        {
            return number == "-0" ? "0" : number;
        }

        double value = double.Parse(number, CultureInfo.InvariantCulture);
        if (double.IsInfinity(value))
        {
            return value > 0 ? "Infinity" : "-Infinity";
        }

        return FormatDouble(value);
    }

    // The shortest digits that read back, as repr writes them: plain from 1e-4 up to 1e16, else with two exponent digits.
    private static string FormatDouble(double value)
    {
        string sign = double.IsNegative(value) ? "-" : "";
        if (value == 0)
        {
            return sign + "0.0";
        }

        (string digits, int exponent) = Decompose(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            char exponentSign = exponent < 0 ? '-' : '+';
            return string.Create(
                CultureInfo.InvariantCulture, $"{sign}{digits[0]}{fraction}e{exponentSign}{Math.Abs(exponent):00}");
        }

        if (exponent < 0)
        {
            return sign + "0." + new string('0', -exponent - 1) + digits;
        }

        int wholeDigits = exponent + 1;
        return digits.Length <= wholeDigits
            ? sign + digits.PadRight(wholeDigits, '0') + ".0"
            : sign + digits[..wholeDigits] + "." + digits[wholeDigits..];
    }

    // "123.4", "1.5E-05" and the like as digits without zeros at either end, and the exponent of the first of them.
    private static (string Digits, int Exponent) Decompose(string roundTrip)
    {
        int e = roundTrip.IndexOf('E', StringComparison.Ordinal);
        string mantissa = e < 0 ? roundTrip : roundTrip[..e];
        ReadOnlySpan<char> power = e < 0 ? "0" : roundTrip.AsSpan(e + 1);
        int exponent = int.Parse(power, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int wholeDigits = point < 0 ? mantissa.Length : point;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int leadingZeros = digits.Length - digits.TrimStart('0').Length;
        return (digits.Trim('0'), exponent + wholeDigits - 1 - leadingZeros);
    }
}
