using System.Runtime.InteropServices;

namespace Kimi.Benchmarking;

/// <summary>What computes, for people.</summary>
internal static class Machine
{
    private const string LinuxCpuFacts = "/proc/cpuinfo";
    private const string ModelName = "model name";

    /// <summary>The processor's name and how many there are.</summary>
    public static string Description => $"{ProcessorName()}, {Environment.ProcessorCount} processors";

    private static string ProcessorName()
    {
        string? name = OperatingSystem.IsLinux() ? LinuxName() : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return string.IsNullOrWhiteSpace(name) ? RuntimeInformation.ProcessArchitecture.ToString() : name;
    }

    private static string? LinuxName()
    {
        try
        {
            // The line reads "model name : …"; Arm has none.
            return File.ReadLines(LinuxCpuFacts)
                .FirstOrDefault(line => line.StartsWith(ModelName, StringComparison.Ordinal))?
                .Split(':', 2)[1]
                .Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
