using System.Globalization;
using System.Text.RegularExpressions;

namespace KimiLinear.Tests.Backends.Cuda;

/// <summary>The kernels of a PTX text, each with the bytes of its one parameter.</summary>
internal static partial class PtxEntries
{
    public static Dictionary<string, int> Read(string ptx) => Entry().Matches(ptx).ToDictionary(
        match => match.Groups["name"].Value,
        match => int.Parse(match.Groups["bytes"].Value, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)\(\s*\.param \.align 8 \.b8 \w+\[(?<bytes>\d+)\]\s*\)")]
    private static partial Regex Entry();
}
