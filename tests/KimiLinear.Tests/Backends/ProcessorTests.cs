using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed partial class ProcessorTests
{
    [Fact]
    public void IsIntel_ThisMachine_IsWhatTheSystemSays()
    {
        // Macs with such instructions are Intel's.
        bool isNamed = OperatingSystem.IsMacOS() || Described().Contains("GenuineIntel", StringComparison.Ordinal);
        bool expected = X86Base.IsSupported && isNamed;

        Assert.Equal(expected, Processor.IsIntel);
    }

    [Fact]
    public void IsZen5_ThisMachine_IsWhatTheSystemSays()
    {
        string description = Described();
        Match family = Family().Match(description);
        bool expected = X86Base.IsSupported
            && description.Contains("AuthenticAMD", StringComparison.Ordinal)
            && int.Parse(family.Groups[1].ValueSpan, CultureInfo.InvariantCulture) >= 26;

        Assert.Equal(expected, Processor.IsZen5);
    }

    // Linux has a file with the name and the family, Windows a variable.
    private static string Described()
    {
        const string Description = "/proc/cpuinfo";
        return File.Exists(Description)
            ? File.ReadAllText(Description)
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "";
    }

    [GeneratedRegex(@"family\s*:?\s*(\d+)", RegexOptions.IgnoreCase)]
    private static partial Regex Family();
}
