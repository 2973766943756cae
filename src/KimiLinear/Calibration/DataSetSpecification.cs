using System.Globalization;
using System.Text.RegularExpressions;

namespace KimiLinear.Calibration;

/// <summary>Reads <c>name[subset](split):N, …</c>.</summary>
internal static partial class DataSetSpecification
{
    /// <exception cref="FormatException">An entry is none.</exception>
    public static IReadOnlyList<CalibrationDataSet> Parse(string text)
    {
        string[] parts = text.Split(',');
        List<CalibrationDataSet> sets = [];
        int start = 0;
        foreach (string part in parts)
        {
            // For people, entries and characters count from 1, and an entry begins with what is no space.
            int position = start + part.Length - part.TrimStart().Length + 1;
            string place = string.Create(CultureInfo.InvariantCulture, $"Entry {sets.Count + 1}, at character {position},");
            CalibrationDataSet set = ParseEntry(part.Trim(), place, isAlone: parts.Length == 1);
            int same = sets.FindIndex(other => other with { RecordCount = set.RecordCount } == set);
            if (same >= 0)
            {
                throw new FormatException($"{place} names the same data as entry {same + 1}. Leave one of them out.");
            }

            sets.Add(set);
            start += part.Length + 1;
        }

        return sets;
    }

    private static CalibrationDataSet ParseEntry(string entry, string place, bool isAlone)
    {
        if (entry.Length == 0)
        {
            throw new FormatException($"{place} is empty. Write name[subset](split):N, with commas between entries.");
        }

        Match match = Entry().Match(entry);
        if (!match.Success || !IsPath(match.Groups["name"].Value) || !IsPath(Of("subset") ?? "x") || !IsPath(Of("split") ?? "x"))
        {
            throw new FormatException(
                $"{place} is '{entry}', but must be name[subset](split):N, of which subset and split may be left out.");
        }

        if (Of("count") is not { } digits)
        {
            return isAlone
                ? new CalibrationDataSet(Of("name")!, Of("subset"), Of("split") ?? CalibrationDataSet.DefaultSplit)
                : throw new FormatException(
                    $"{place} is '{entry}', but lacks ':N': of several data sets, each must say how many records it gives.");
        }

        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long count) && count > 0
            ? new CalibrationDataSet(Of("name")!, Of("subset"), Of("split") ?? CalibrationDataSet.DefaultSplit, count)
            : throw new FormatException($"{place} asks for {digits} records of '{Of("name")}', but it must be at least 1 and no more than "
                + $"{long.MaxValue}.");

        string? Of(string group) => match.Groups[group] is { Success: true } found ? found.Value : null;
    }

    /// <summary>Whether a text is a path below a folder, which cannot lead out of it.</summary>
    public static bool IsPath(string text) => text.IndexOfAny(['\\', ':']) < 0
        && text.Split('/').All(segment => segment.Length > 0 && segment.Any(character => character != '.'));

    [GeneratedRegex(
        @"^(?<name>[\w\-./]+)\s*(\[\s*(?<subset>[\w\-./]+)\s*\])?\s*(\(\s*(?<split>[\w\-./]+)\s*\))?\s*(:\s*(?<count>[0-9]+))?$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Entry();
}
