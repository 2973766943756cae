using System.Text.Json;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Folders of runs that cannot be written, or no further.</summary>
public sealed class RunOutputTests : IDisposable
{
    private const string NoModel = "no-such-model";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // There is no such model either: what is complained of is what was looked at first.
    [Theory]
    [InlineData("FILE", "--out must name a folder, but '", "eval", "run", "-b", "exact", "-d", "DATA", "-m", NoModel)]
    [InlineData("FILE", "--out must name a folder, but '", "eval", "perplexity", "-d", "DATA", "-m", NoModel)]
    [InlineData("FILE", "--out must name a folder, but '", "eval", "compare", NoModel, NoModel)]
    [InlineData("FILE/run", "--out must name a folder, but '", "eval", "run", "-b", "exact", "-d", "DATA", "-m", NoModel)]
    [InlineData("/proc/run", "'/proc/run' cannot be written: ", "eval", "run", "-b", "exact", "-d", "DATA", "-m", NoModel)]
    [InlineData("/proc/run", "'/proc/run' cannot be written: ", "eval", "perplexity", "-d", "DATA", "-m", NoModel)]
    public async Task Eval_FolderThatCannotBeWritten_IsRefusedBeforeTheModelIsRead(
        string target, string expected, params string[] arguments)
    {
        WriteData(answer: "yes", count: 1);
        File.WriteAllText(_folder.File("file"), "");
        string[] given = [.. arguments.Select(argument => argument == "DATA" ? _folder.File("data.jsonl") : argument)];

        KimiResult result = await KimiProcess.RunAsync([.. given, "-o", target.Replace("FILE", _folder.File("file"))]);

        Assert.StartsWith($"kimi: {expected}", result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Equal(["data.jsonl", "file"], Names(_folder.Path));
    }

    // A limit on the size of files stands for a full disk: the system refuses to write on in the middle of a line.
    [Fact]
    public async Task Run_NoRoomForALine_LeavesWholeLinesAndGoesOn()
    {
        WriteData(answer: new string('y', 300_000), count: 12);
        await using FakeEndpoint server = await FakeEndpoint.StartAsync(FakeEndpoint.OneModel, _ => FakeEndpoint.Reply("no"));
        string[] arguments =
        [
            "eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", _folder.File("run"), "--endpoint", server.Address,
            "--concurrency", "1",
        ];
        string items = Path.Combine(_folder.File("run"), "items.jsonl");

        KimiResult full = await KimiProcess.RunAsync(KimiProcess.StartWithFileLimit(4000, arguments));
        byte[] left = File.ReadAllBytes(items);
        KimiResult result = await KimiProcess.RunAsync(arguments);

        Assert.StartsWith($"kimi: '{items}' cannot be written: ", full.Error);
        Assert.EndsWith("What is judged so far is kept; mend that, and the same command continues.\n", full.Error);
        Assert.Equal((1, 1), (full.ExitCode, full.Error.Count('\n')));
        Assert.Equal((byte)'\n', left[^1]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(12, File.ReadAllLines(items).Length);
    }

    [Fact]
    public async Task Compare_NoRoomForAReport_LeavesNothingOfIt()
    {
        WriteData(answer: "yes", count: 2);
        await using FakeEndpoint server = await FakeEndpoint.StartAsync(FakeEndpoint.OneModel, _ => FakeEndpoint.Reply("yes"));
        string run = _folder.File("run");
        await KimiProcess.LinesAsync(
            ["eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", run, "--endpoint", server.Address]);

        KimiResult result = await KimiProcess.RunAsync(
            KimiProcess.StartWithFileLimit(0, "eval", "compare", run, run, "-o", _folder.File("comparison")));

        Assert.StartsWith($"kimi: '{Path.Combine(_folder.File("comparison"), "comparison.json")}' cannot be written: ", result.Error);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Empty(Names(_folder.File("comparison")));
    }

    private static string?[] Names(string folder) => [.. Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order()];

    private void WriteData(string answer, int count) => File.WriteAllLines(
        _folder.File("data.jsonl"),
        Enumerable.Range(0, count).Select(i => JsonSerializer.Serialize(
            new { text = "some words", messages = new[] { new { role = "user", content = $"Item {i}" } }, answer })));
}
