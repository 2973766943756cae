using System.Diagnostics;
using System.Xml.Linq;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>The golden checkpoints on processors with narrower vectors, played by this one in a process of its own.</summary>
public sealed class SimdTierTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Theory]
    [InlineData("DOTNET_EnableAVX512", nameof(SimdWidth.Bits256))]
    [InlineData("DOTNET_EnableAVX2", nameof(SimdWidth.Bits128))]
    [InlineData("DOTNET_EnableHWIntrinsic", nameof(SimdWidth.Scalar))]
    public async Task GoldenModels_VectorsSwitchedOff_MatchOnTheNextNarrower(string runtimeSwitch, string widestLeft)
    {
        SimdWidth left = Enum.Parse<SimdWidth>(widestLeft);
        SimdWidth expected = CanSwitchOff(runtimeSwitch) && left < CpuBackends.Widest ? left : CpuBackends.Widest;
        string reportPath = Path.Combine(Path.GetTempPath(), $"kimi-simd-{Guid.NewGuid():N}.xml");
        try
        {
            (int exitCode, string output) = await RunGoldenModelsAsync(runtimeSwitch, reportPath);

            Assert.True(exitCode == 0, $"exit code {exitCode}\n{output}");
            string[] passed = [.. ReadResults(reportPath).Where(test => test.Result == "Pass").Select(test => test.Name).Order()];
            Assert.Equal(ExpectedTests(expected), passed);
        }
        finally
        {
            File.Delete(reportPath);
        }
    }

    // The switches for AVX exist on x64 only.
    private static bool CanSwitchOff(string runtimeSwitch) =>
        System.Runtime.Intrinsics.X86.X86Base.IsSupported || !runtimeSwitch.Contains("AVX", StringComparison.Ordinal);

    private static string[] ExpectedTests(SimdWidth width) =>
    [
        .. Golden.ModelNames
            .SelectMany(model => (string[])
            [
                TestName(nameof(GoldenModelTests.Forward_GreedyFrom24Tokens_MatchesGolden), model, width),
                TestName(nameof(GoldenModelTests.Forward_WholePrompt_MatchesGolden), model, width),
            ])
            .Order(),
    ];

    private static string TestName(string method, string modelName, SimdWidth width) =>
        $"{typeof(GoldenModelTests).FullName}.{method}(modelName: \"{modelName}\", backend: \"{width}\")";

    private static async Task<(int ExitCode, string Output)> RunGoldenModelsAsync(string runtimeSwitch, string reportPath)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(SimdTierTests).Assembly.Location);
        }

        foreach (string argument in (string[])["-noColor", "-class", typeof(GoldenModelTests).FullName!, "-xml", reportPath])
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
