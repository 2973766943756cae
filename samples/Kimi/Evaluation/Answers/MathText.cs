using System.Text.RegularExpressions;

namespace Kimi.Evaluation.Answers;

/// <summary>Brings mathematical answers into one spelling, so that those that differ in style alone become equal.</summary>
internal static partial class MathText
{
    private const StringComparison Same = StringComparison.Ordinal;

    private static readonly string[] NumberWords =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    ];

    // In this order; what stands first may make what follows match.
    private static readonly (string From, string To)[] Replacements =
    [
        ("\n", " "), ("~", " "),
        ("tfrac", "frac"), ("dfrac", "frac"), ("bmatrix", "pmatrix"),
        ("\\neq", "\\ne"), ("\\leq", "\\le"), ("\\geq", "\\ge"), ("\\left", ""), ("\\right", ""), ("\\{", "{"), ("\\}", "}"),
        ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", ""), ("\\(", ""), ("\\)", ""), ("\\%", ""), ("%", ""),
        ("\\mathbf", ""), ("\\mathrm", "\\text"), ("\\textbf", "\\text"), ("\\mbox", "\\text"), ("\\cdot", "*"), ("\\times", "*"),
        ("−", "-"), ("\\infty", "infinity"), ("infinity", "\\infty"), (" .", " 0."), ("{.", "{0."),
    ];

    /// <summary>The answer in the one spelling.</summary>
    public static string Normalize(string answer)
    {
        string text = SpaceCommand().Replace(answer.Trim().TrimEnd('.'), "");
        foreach ((string from, string to) in Replacements)
        {
            text = text.Replace(from, to, Same);
        }

        text = WithoutUnit(text.Trim());
        text = TextCommand().Replace(text, "$1");
        int word = Array.IndexOf(NumberWords, text.Trim().ToLowerInvariant());
        text = word < 0 ? text.Trim() : $"{word}";
        text = Thousands().Replace(text, match => match.Value.Replace("{,}", "", Same).Replace(",", "", Same));
        text = BareRoot().Replace(text, @"\sqrt{$1}");
        text = BareFraction().Replace(text, @"\frac{${a}}{${b}}");
        text = Assignment().Replace(text, "");
        text = text.Replace(" ", "", Same);
        text = TrailingZeros().Replace(text, "$1");
        return text.StartsWith('.') ? "0" + text : text.StartsWith("-.", Same) ? "-0" + text[1..] : text;
    }

    // "12 \text{ miles}" is 12, but "\text{odd}" is odd.
    private static string WithoutUnit(string text)
    {
        string without = Unit().Replace(text, "").Trim();
        without = without.Length == 0 ? text : without;
        return WordUnit().Replace(without, "$1");
    }

    // Not the end of a row, which is two backslashes.
    [GeneratedRegex(@"(?<!\\)\\[!,; ]")]
    private static partial Regex SpaceCommand();

    [GeneratedRegex(@"^-?\d{1,3}(?:(?:,|\{,\})\d{3})+(?:\.\d+)?$")]
    private static partial Regex Thousands();

    [GeneratedRegex(@"\\text\s*\{([^{}]*)\}")]
    private static partial Regex TextCommand();

    [GeneratedRegex(@"(\\text\s*\{[^{}]*\})(\^\{?\d\}?)?$")]
    private static partial Regex Unit();

    // "64 square feet" and "5 dollars", as people write them.
    [GeneratedRegex(@"^(-?[\d.,]+(?:/\d+)?)\s+[A-Za-z]{3,}(?:\s+[A-Za-z]+)*$")]
    private static partial Regex WordUnit();

    [GeneratedRegex(@"\\sqrt(\w)")]
    private static partial Regex BareRoot();

    [GeneratedRegex(@"\\frac\s*(?:\{(?<a>[^{}]*)\}|(?<a>\w))\s*(?:\{(?<b>[^{}]*)\}|(?<b>\w))")]
    private static partial Regex BareFraction();

    // "x = 5" and "x \in [1, 2]"
    [GeneratedRegex(@"^\s*[a-zA-Z]{1,2}\s*(=|\\in(?![a-z]))\s*(?=[^=]*$)")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"(\d+)\.0*(?!\d)")]
    private static partial Regex TrailingZeros();
}
