using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>What the tool does where nothing holds a program.</summary>
public sealed class UnsafeExecutionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Run_ProgramsWithoutSandbox_AreRefusedUnlessTheUserInsists()
    {
        File.WriteAllText(_folder.File("data.jsonl"), JsonSerializer.Serialize(new
        {
            task_id = "HumanEval/0",
            prompt = "def f():\n",
            entry_point = "f",
            test = "def check(candidate):\n    assert candidate() == 1\n",
        }));
        // Python is all that can be found, and no tool that makes a sandbox.
        Directory.CreateDirectory(_folder.File("bin"));
        File.CreateSymbolicLink(Path.Combine(_folder.File("bin"), "python3"), (await Programs.PythonAsync()).Path);

        KimiResult refused = await RunWithoutToolsAsync();
        KimiResult insisted = await RunWithoutToolsAsync("--unsafe-execution");

        Assert.Contains("no sandbox for them works here (bubblewrap: ", refused.Error);
        Assert.Contains("insist with --unsafe-execution", refused.Error);
        Assert.Equal(1, refused.Error.Count('\n'));
        Assert.Equal(1, refused.ExitCode);
        Assert.Equal(("", 0), (insisted.Error, insisted.ExitCode));
        Assert.Contains("held by: nothing (--unsafe-execution)", File.ReadAllText(Path.Combine(_folder.File("run"), "report.md")));
    }

    private Task<KimiResult> RunWithoutToolsAsync(params string[] more)
    {
        ProcessStartInfo start = KimiProcess.StartInfo(
            ["eval", "run", "-b", "humaneval", "-d", _folder.File("data.jsonl"), "-o", _folder.File("run"), "-m", TestFiles.TinyModel, "--max-tokens", "8", .. more]);
        start.Environment["PATH"] = _folder.File("bin");
        return KimiProcess.RunAsync(Process.Start(start)!);
    }
}
