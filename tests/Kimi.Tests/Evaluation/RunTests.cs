using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation;
using Kimi.Evaluation.Runs;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Runs that are stopped, and go on.</summary>
public sealed class RunTests : IDisposable
{
    private const int Count = 12;

    private static readonly string Data = string.Concat(Enumerable.Range(0, Count).Select(i =>
        JsonSerializer.Serialize(new { messages = new[] { new { role = "user", content = $"Item <{i}>" } }, answer = $"{i % 3}" }) + "\n"));

    private readonly TemporaryFolder _folder = new();

    private string Items => Path.Combine(_folder.File("run"), RunFiles.Items);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Run_ModelFailsInBetween_KeepsWhatIsJudgedAndAsksOnlyTheRest()
    {
        IReadOnlyList<ItemResult> undisturbed = await RunAsync(Client());
        File.Delete(Items);
        int asked = 0;

        CommandException exception = await Assert.ThrowsAsync<CommandException>(() => RunAsync(Client(
            _ => Interlocked.Increment(ref asked) > 5 ? throw new HttpRequestException("gone") : null)));
        int kept = File.ReadAllLines(Items).Length;
        ScriptedClient second = Client();
        IReadOnlyList<ItemResult> results = await RunAsync(second);

        Assert.Contains("gone. What is judged so far is kept", exception.Message);
        Assert.Equal(5, kept);
        Assert.Equal(Count - 5, second.Prompts.Count);
        Assert.Equal(Count, File.ReadAllLines(Items).Length);
        Assert.Equal(undisturbed.Select(Json), results.Select(Json));
    }

    [Fact]
    public async Task Run_LineLeftUnfinished_IsAskedAgain()
    {
        IReadOnlyList<ItemResult> undisturbed = await RunAsync(Client());
        byte[] whole = File.ReadAllBytes(Items);

        // A write that was cut at any place, the line break included.
        foreach (int cut in (int[])[1, 2, 50])
        {
            File.WriteAllBytes(Items, whole[..^cut]);
            ScriptedClient client = Client();

            IReadOnlyList<ItemResult> results = await RunAsync(client);

            Assert.Single(client.Prompts);
            Assert.Equal(undisturbed.Select(Json), results.Select(Json));
            Assert.All(File.ReadAllLines(Items), line => JsonDocument.Parse(line).Dispose());
            whole = File.ReadAllBytes(Items);
        }
    }

    [Fact]
    public async Task Run_Finished_AsksNothing()
    {
        IReadOnlyList<ItemResult> first = await RunAsync(Client());
        ScriptedClient client = Client();

        IReadOnlyList<ItemResult> second = await RunAsync(client);

        Assert.Empty(client.Prompts);
        Assert.Equal(first.Select(Json), second.Select(Json));
    }

    [Fact]
    public async Task Run_Cancelled_EndsAndKeepsWhatIsJudged()
    {
        using CancellationTokenSource stop = new();
        int asked = 0;
        ScriptedClient client = Client(_ =>
        {
            if (Interlocked.Increment(ref asked) == 4)
            {
                stop.Cancel();
            }

            return null;
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(client, stop.Token));

        Assert.InRange(File.ReadAllLines(Items).Length, 3, 6);
    }

    [Fact]
    public async Task Run_PromptTooLong_CountsAsWrong()
    {
        IReadOnlyList<ItemResult> results = await RunAsync(Client(
            i => i == 0 ? throw new ArgumentException("The prompt has 9 tokens, but the model's context is 8.") : null));

        Assert.Equal((Outcome.Oversize, false), (results[0].Outcome, results[0].Scores["accuracy"]));
        Assert.Contains("9 tokens", results[0].Detail);
        Assert.Equal(Outcome.Pass, results[1].Outcome);
    }

    [Fact]
    public async Task Run_Progress_CountsAndForetells()
    {
        List<RunProgress> reports = [];

        await RunAsync(Client(), progress: new Recorder(reports));

        Assert.Equal(Enumerable.Range(1, Count), reports.Select(report => report.Done));
        Assert.All(reports, report => Assert.Equal(Count, report.Total));
        Assert.Equal(Count, reports[^1].Correct);
        Assert.Equal(TimeSpan.Zero, reports[^1].TimeLeft);
    }

    [Fact]
    public async Task Open_OtherProtocol_SaysInWhatItDiffers()
    {
        await RunAsync(Client());

        CommandException exception = Assert.Throws<CommandException>(() => Open(Protocol() with { MaxTokens = 7, TopP = 0.5f }));

        Assert.Contains("holds a run with max_tokens 100 and not 7; top_p null and not 0.5", exception.Message);
    }

    [Theory]
    [InlineData("{\"benchmark\":")]
    [InlineData("null")]
    [InlineData("""{"benchmark":"exact","id":"c","sample":0,"prompt_sha256":"","output":"","outcome":"pass","scores":null}""")]
    public async Task Open_BrokenLine_SaysWhichOne(string broken)
    {
        await RunAsync(Client());
        string[] lines = File.ReadAllLines(Items);
        lines[2] = broken;
        File.WriteAllLines(Items, lines);

        CommandException exception = Assert.Throws<CommandException>(() => Open(Protocol()));

        Assert.Contains("items.jsonl', line 3 is broken", exception.Message);
    }

    [Fact]
    public async Task Open_FolderInUse_IsRefused()
    {
        await RunAsync(Client());
        using RunFolder<RunProtocol, ItemResult> first = Open(Protocol());

        CommandException exception = Assert.Throws<CommandException>(() => Open(Protocol()));

        Assert.Contains("does another run write it?", exception.Message);
    }

    [Fact]
    public void Open_FolderOfSomethingElse_IsRefused()
    {
        Directory.CreateDirectory(_folder.File("run"));
        File.WriteAllText(Items, "{}\n");

        CommandException exception = Assert.Throws<CommandException>(() => Open(Protocol()));

        Assert.Contains("so it is no run", exception.Message);
        Assert.Equal("{}\n", File.ReadAllText(Items));
    }

    // All answers right; what a test wants else happens first.
    private static ScriptedClient Client(Func<int, string?>? otherwise = null)
    {
        ScriptedClient client = new();
        for (int i = 0; i < Count; i++)
        {
            int item = i;
            client.On($"Item <{i}>", _ => otherwise?.Invoke(item) ?? $"{item % 3}");
        }

        return client;
    }

    private RunProtocol Protocol() => ScriptedRun.Protocol("exact", ScriptedRun.Read(_folder, "exact", Data));

    private RunFolder<RunProtocol, ItemResult> Open(RunProtocol protocol) => RunFolder<RunProtocol, ItemResult>.Open(
        _folder.File("run"), protocol, (there, here) => there.DifferencesTo(here));

    private async Task<IReadOnlyList<ItemResult>> RunAsync(
        ScriptedClient client, CancellationToken? cancellation = null, IProgress<RunProgress>? progress = null)
    {
        IReadOnlyList<BenchmarkItem> items = ScriptedRun.Read(_folder, "exact", Data);
        using RunFolder<RunProtocol, ItemResult> folder = Open(Protocol());
        return await new EvaluationRun(client, Protocol(), new Graders(), concurrency: 1).RunAsync(
            items, folder, progress, cancellation ?? TestContext.Current.CancellationToken);
    }

    private static string Json(ItemResult result) => JsonSerializer.Serialize(result with { Seconds = 0 }, JsonText.Compact);

    private sealed class Recorder(List<RunProgress> reports) : IProgress<RunProgress>
    {
        public void Report(RunProgress value) => reports.Add(value);
    }
}
