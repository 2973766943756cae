using Kimi.Evaluation;
using Kimi.Evaluation.Benchmarks;
using Kimi.Evaluation.Execution;
using Kimi.Evaluation.Reports;
using Kimi.Evaluation.Runs;
using Microsoft.Extensions.AI;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Runs a benchmark with a scripted model, in a folder of its own.</summary>
internal sealed class ScriptedRun : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private ScriptedRun()
    {
    }

    public RunSummary Summary { get; private set; } = null!;

    public IReadOnlyList<ItemResult> Results { get; private set; } = null!;

    /// <summary>The names of the outcomes, in the order of the items.</summary>
    public string[] Outcomes => [.. Results.Select(result => result.Outcome)];

    public string?[] Extracted => [.. Results.Select(result => result.Extracted)];

    /// <summary>Runs the items of a file.</summary>
    /// <param name="benchmark">The benchmark's name.</param>
    /// <param name="data">What the file holds.</param>
    /// <param name="client">The model.</param>
    /// <param name="samples">Replies to each item.</param>
    /// <param name="judge">Compares answers; not given for exact comparison.</param>
    /// <param name="checker">Runs programs; not given for benchmarks without.</param>
    public static async Task<ScriptedRun> RunAsync(
        string benchmark,
        string data,
        IChatClient client,
        int samples = 1,
        IChatClient? judge = null,
        ProgramChecker? checker = null)
    {
        ScriptedRun run = new();
        IReadOnlyList<BenchmarkItem> items = Read(run._folder, benchmark, data);
        RunProtocol protocol = Protocol(benchmark, items, samples);
        using RunFolder<RunProtocol, ItemResult> folder = RunFolder<RunProtocol, ItemResult>.Open(
            run._folder.File("run"), protocol, (there, here) => there.DifferencesTo(here));
        Graders graders = new(checker, judge is null ? null : new AnswerJudge(judge));
        run.Results = await new EvaluationRun(client, protocol, graders, concurrency: 3).RunAsync(
            items, folder, progress: null, TestContext.Current.CancellationToken);
        run.Summary = RunSummary.Of(protocol, run.Results);
        RunReport.Write(run.Summary, folder);
        return run;
    }

    /// <summary>Reads the items of a file that holds this.</summary>
    public static IReadOnlyList<BenchmarkItem> Read(TemporaryFolder folder, string benchmark, string data)
    {
        File.WriteAllText(folder.File("data.jsonl"), data);
        return BenchmarkCatalog.Find(benchmark)!.Read(DataFile.Open(folder.File("data.jsonl")));
    }

    public static RunProtocol Protocol(string benchmark, IReadOnlyList<BenchmarkItem> items, int samples = 1) => new()
    {
        Benchmark = benchmark,
        Title = BenchmarkCatalog.Find(benchmark)!.Title,
        Protocol = BenchmarkCatalog.Find(benchmark)!.Protocol,
        MainScore = items[0].ScoreNames[^1],
        Data = "data.jsonl",
        DataSha256 = "",
        Items = items.Count,
        Samples = samples,
        Model = "scripted",
        Location = "here",
        MaxTokens = 100,
        Temperature = 0,
        Seed = 42,
    };

    /// <summary>A file of the run's folder.</summary>
    public string ReadFile(string name) => File.ReadAllText(Path.Combine(_folder.File("run"), name));

    /// <summary>Requires a score over all items or over a group, with the interval, known to twelve digits.</summary>
    public void RequireScore(string name, string? group, int correct, int items, double low, double high)
    {
        ScoreRow row = Assert.Single(Summary.Scores, row => row.Name == name && row.Group == group);
        Assert.Equal((correct, items), (row.Correct, row.Items));
        Assert.Equal((double)correct / row.Replies, row.Value, 1e-15);
        Assert.Equal(low, row.Interval.Low, 1e-12);
        Assert.Equal(high, row.Interval.High, 1e-12);
    }

    public void Dispose() => _folder.Dispose();
}
