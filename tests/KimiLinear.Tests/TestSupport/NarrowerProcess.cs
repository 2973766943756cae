using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Xml.Linq;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Tests run once more in a process of its own in which the runtime may use narrower vectors only.</summary>
internal static class NarrowerProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>The widest vectors the process has, when a switch should leave these.</summary>
    public static SimdWidth WidestLeft(string runtimeSwitch, SimdWidth left) =>
        CanSwitchOff(runtimeSwitch) && left < CpuBackends.Widest ? left : CpuBackends.Widest;

    /// <summary>Runs the tests that any of the patterns names; all must pass.</summary>
    /// <returns>Their names, in order.</returns>
    public static async Task<string[]> PassedTestsAsync(string runtimeSwitch, params string[] patterns)
    {
        string reportPath = Path.Combine(Path.GetTempPath(), $"kimi-simd-{Guid.NewGuid():N}.xml");
        try
        {
            (int exitCode, string output) = await RunAsync(runtimeSwitch, reportPath, patterns);
            Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
            return [.. ReadResults(reportPath).Where(test => test.Result == "Pass").Select(test => test.Name).Order()];
        }
        finally
        {
            File.Delete(reportPath);
        }
    }

    // The switches for AVX exist on x64 only.
    private static bool CanSwitchOff(string runtimeSwitch) =>
        X86Base.IsSupported || !runtimeSwitch.Contains("AVX", StringComparison.Ordinal);

    private static async Task<(int ExitCode, string Output)> RunAsync(string runtimeSwitch, string reportPath, string[] patterns)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(NarrowerProcess).Assembly.Location);
        }

        string[] methods = [.. patterns.SelectMany(pattern => (string[])["-method", pattern])];
        foreach (string argument in (string[])["-noColor", .. methods, "-xml", reportPath])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[runtimeSwitch] = "0";
        start.Environment[Backend.DefaultOnlyVariable] = "1";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource timeout = new(Patience);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"The run with {runtimeSwitch}=0 did not end within {Patience}.");
        }

        return (process.ExitCode, await output + await errors);
    }

    private static IEnumerable<(string Name, string Result)> ReadResults(string reportPath) =>
        XDocument.Load(reportPath).Descendants("test").Select(test => (
            test.Attribute("name")!.Value.Replace("\\\"", "\"", StringComparison.Ordinal),
            test.Attribute("result")!.Value));
}
