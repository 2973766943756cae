using System.Globalization;
using System.Text.RegularExpressions;

namespace Kimi.Evaluation.Answers;

/// <summary>Whether two mathematical answers are the same, as far as strings, numbers, choices and lists tell.</summary>
internal static partial class MathEquality
{
    // evalscope's tolerance, so that scores compare.
    private const double Tolerance = 1e-4;

    private const string Decimal = @"-?\d+(?:\.\d+)?";

    /// <summary>Compares an answer with the right one.</summary>
    public static MathComparison Compare(string given, string right)
    {
        string left = MathText.Normalize(given);
        string reference = MathText.Normalize(right);
        return AreEqual(left, reference) ? MathComparison.Equal
            : IsPlain(left) && IsPlain(reference) ? MathComparison.Different
            : MathComparison.Unknown;
    }

    private static bool AreEqual(string given, string right)
    {
        if (given.Equals(right, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        if (right is ['A' or 'B' or 'C' or 'D' or 'E'])
        {
            MatchCollection letters = Choice().Matches(given.ToUpperInvariant());
            return letters.Count > 0 && letters[^1].Value == right;
        }

        return TryNumber(given, out double number) && TryNumber(right, out double reference)
            ? AreClose(number, reference) || AreClose(number, reference / 100) || AreClose(number, reference * 100)
            : AreEqualLists(given, right);
    }

    private static bool AreEqualLists(string given, string right)
    {
        (string givenBrackets, string[] givenParts) = Parts(given);
        (string rightBrackets, string[] rightParts) = Parts(right);
        if (givenParts.Length != rightParts.Length || (rightParts.Length == 1 && givenBrackets == rightBrackets))
        {
            return false;
        }

        if (givenBrackets.Length > 0 && rightBrackets.Length > 0 && givenBrackets != rightBrackets)
        {
            return false;
        }

        // Roots listed without brackets, and sets, have no order.
        bool isOrdered = (givenBrackets + rightBrackets).Any(bracket => bracket is '(' or '[');
        return isOrdered
            ? givenParts.Zip(rightParts).All(pair => AreEqual(pair.First, pair.Second))
            : rightParts.All(part => givenParts.Any(other => AreEqual(other, part)))
                && givenParts.All(part => rightParts.Any(other => AreEqual(part, other)));
    }

    // The brackets around a list and the parts between its own commas; matrices are lists of rows.
    private static (string Brackets, string[] Parts) Parts(string text)
    {
        const string begin = @"\begin{pmatrix}", end = @"\end{pmatrix}";
        if (text.StartsWith(begin, StringComparison.Ordinal) && text.EndsWith(end, StringComparison.Ordinal))
        {
            string[] rows = text[begin.Length..^end.Length].Split(@"\\", StringSplitOptions.RemoveEmptyEntries);
            return ("(matrix", [.. rows.Select(row => row.Contains('&') ? $"({row.Replace('&', ',')})" : row)]);
        }

        string brackets = "";
        if (text.Length >= 2 && text[0] is '(' or '[' or '{' && text[^1] is ')' or ']' or '}')
        {
            brackets = $"{text[0]}{text[^1]}";
            text = text[1..^1];
        }

        List<string> parts = [];
        int depth = 0, from = 0;
        for (int i = 0; i < text.Length; i++)
        {
            depth += text[i] is '(' or '[' or '{' ? 1 : text[i] is ')' or ']' or '}' ? -1 : 0;
            if (depth == 0 && text[i] == ',')
            {
                parts.Add(text[from..i]);
                from = i + 1;
            }
        }

        parts.Add(text[from..]);
        return (brackets, [.. parts]);
    }

    private static bool AreClose(double a, double b) => Math.Abs(a - b) <= Tolerance * Math.Max(Math.Abs(a), Math.Abs(b));

    private static bool TryNumber(string text, out double value)
    {
        Match fraction = Fraction().Match(text);
        if (!fraction.Success)
        {
            return double.TryParse(
                text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
        }

        value = double.Parse(fraction.Groups["a"].Value, CultureInfo.InvariantCulture)
            / double.Parse(fraction.Groups["b"].Value, CultureInfo.InvariantCulture);
        value = fraction.Groups["sign"].Length > 0 ? -value : value;
        return double.IsFinite(value);
    }

    // Of numbers everything is known.
    private static bool IsPlain(string text) => TryNumber(text, out _) || text.Length == 0;

    [GeneratedRegex($@"^(?<sign>-)?(?:\\frac\{{(?<a>{Decimal})\}}\{{(?<b>{Decimal})\}}|(?<a>{Decimal})/(?<b>{Decimal}))$")]
    private static partial Regex Fraction();

    [GeneratedRegex(@"\b[A-E]\b")]
    private static partial Regex Choice();
}
