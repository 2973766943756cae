using System.Runtime.Intrinsics.X86;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class ProcessorTests
{
    [Fact]
    public void IsIntel_ThisMachine_IsWhatTheSystemSays()
    {
        // Linux has a file with the name, Windows a variable; Macs with such instructions are Intel's.
        const string Description = "/proc/cpuinfo";
        string? named = File.Exists(Description)
            ? File.ReadAllText(Description)
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        bool isNamed = OperatingSystem.IsMacOS() || named?.Contains("GenuineIntel", StringComparison.Ordinal) == true;
        bool expected = X86Base.IsSupported && isNamed;

        Assert.Equal(expected, Processor.IsIntel);
    }
}
