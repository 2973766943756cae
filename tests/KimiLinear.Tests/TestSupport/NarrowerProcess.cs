using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Tests run once more in a process of its own in which fewer instructions may be used.</summary>
internal static class NarrowerProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>The widest vectors the process has, when a switch should leave these.</summary>
    public static SimdWidth WidestLeft(string runtimeSwitch, SimdWidth left) =>
        CanSwitchOff(runtimeSwitch) && left < CpuBackends.Widest ? left : CpuBackends.Widest;

    /// <summary>Runs the tests that any of the patterns names, the runtime's switch turned off; all must pass.</summary>
    /// <returns>Their names, in order.</returns>
    public static Task<string[]> PassedTestsAsync(string runtimeSwitch, params string[] patterns)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!);
        if (IsDotnet(Environment.ProcessPath))
        {
            start.ArgumentList.Add(AssemblyPath);
        }

        start.Environment[runtimeSwitch] = "0";
        return PassedTestsAsync(start, $"{runtimeSwitch}=0", patterns);
    }

    /// <summary>The same with a switch of the application turned off, in the file that applications have for these.</summary>
    public static async Task<string[]> PassedTestsWithoutAsync(string applicationSwitch, params string[] patterns)
    {
        JsonNode config = JsonNode.Parse(await File.ReadAllTextAsync(Path.ChangeExtension(AssemblyPath, ".runtimeconfig.json")))!;
        config["runtimeOptions"]!["configProperties"]![applicationSwitch] = false;
        string configPath = Path.Combine(Path.GetTempPath(), $"kimi-switch-{Guid.NewGuid():N}.runtimeconfig.json");
        try
        {
            await File.WriteAllTextAsync(configPath, config.ToJsonString());
            string host = IsDotnet(Environment.ProcessPath)
                ? Environment.ProcessPath!
                : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
            ProcessStartInfo start = new(host, ["exec", "--runtimeconfig", configPath, AssemblyPath]);
            return await PassedTestsAsync(start, $"{applicationSwitch}=false", patterns);
        }
        finally
        {
            File.Delete(configPath);
        }
    }

    private static string AssemblyPath => typeof(NarrowerProcess).Assembly.Location;

    private static bool IsDotnet(string? path) => Path.GetFileNameWithoutExtension(path) == "dotnet";

    // The switches for AVX exist on x64 only.
    private static bool CanSwitchOff(string runtimeSwitch) =>
        X86Base.IsSupported || !runtimeSwitch.Contains("AVX", StringComparison.Ordinal);

    private static async Task<string[]> PassedTestsAsync(ProcessStartInfo start, string change, string[] patterns)
    {
        string reportPath = Path.Combine(Path.GetTempPath(), $"kimi-simd-{Guid.NewGuid():N}.xml");
        try
        {
            (int exitCode, string output) = await RunAsync(start, change, reportPath, patterns);
            Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
            return [.. ReadResults(reportPath).Where(test => test.Result == "Pass").Select(test => test.Name).Order()];
        }
        finally
        {
            File.Delete(reportPath);
        }
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(
        ProcessStartInfo start, string change, string reportPath, string[] patterns)
    {
        string[] methods = [.. patterns.SelectMany(pattern => (string[])["-method", pattern])];
        foreach (string argument in (string[])["-noColor", .. methods, "-xml", reportPath])
        {
            start.ArgumentList.Add(argument);
        }

        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
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
            throw new TimeoutException($"The run with {change} did not end within {Patience}.");
        }

        return (process.ExitCode, await output + await errors);
    }

    private static IEnumerable<(string Name, string Result)> ReadResults(string reportPath) =>
        XDocument.Load(reportPath).Descendants("test").Select(test => (
            test.Attribute("name")!.Value.Replace("\\\"", "\"", StringComparison.Ordinal),
            test.Attribute("result")!.Value));
}
