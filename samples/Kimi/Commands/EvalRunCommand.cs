using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Evaluation;
using Kimi.Evaluation.Execution;
using Kimi.Evaluation.Reports;
using Kimi.Evaluation.Runs;
using Kimi.Terminal;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Asks a model the items of a benchmark and scores the replies.</summary>
internal static class EvalRunCommand
{
    public static readonly string[] Examples =
    [
        "kimi eval run --benchmark gsm8k --data gsm8k-test.jsonl --model MODEL --out runs/gsm8k-48b",
        "kimi eval run -b humaneval -d HumanEvalPlus.jsonl -m MODEL -o runs/humaneval      runs programs in a sandbox",
        "kimi eval run -b exact -d tasks.jsonl --endpoint http://localhost:8000/v1 --out runs/tasks --limit 100",
        "kimi eval run -b aime25 -d aime25.jsonl -m MODEL -o runs/aime25 --samples 8 --temperature 0.6",
        "echo '{\"messages\":[{\"role\":\"user\",\"content\":\"2+2?\"}],\"answer\":\"4\"}' > tasks.jsonl      the format of exact",
    ];

    private const long DefaultSeed = 42;

    public static Command Create(CommandTerminal terminal)
    {
        EvalArguments arguments = new();
        Command command = new(
            "run",
            "Scores a model on a benchmark. Every judged reply is kept at once: a run that was stopped, or killed, goes on "
            + "when it is started again.");
        arguments.AddTo(command);
        command.SetAction((result, cancellationToken) => RunAsync(arguments, result, terminal));
        return command;
    }

    private static async Task RunAsync(EvalArguments arguments, ParseResult result, CommandTerminal terminal)
    {
        EvalParts parts = new(arguments, result, terminal);
        string path = result.GetRequiredValue(arguments.Out);
        OutputFile.RequireWritableFolder("--out", path);
        Benchmark benchmark = result.GetRequiredValue(arguments.Benchmark);
        DataFile data = DataFile.Open(result.GetRequiredValue(arguments.Data));
        IReadOnlyList<BenchmarkItem> items = parts.ReadItems(benchmark, data);

        // What may be missing is looked for before a large model is read.
        using ProgramChecker? checker = benchmark.RunsPrograms ? await parts.OpenCheckerAsync() : null;
        using ModelUnderTest? judge = await parts.OpenJudgeAsync();
        using ModelUnderTest model = await parts.OpenModelAsync();
        (int? maxInputTokens, KimiTokenizer? tokenizer) = parts.ReadInputLimit(benchmark, model);
        RunProtocol protocol = new()
        {
            Benchmark = benchmark.Name,
            Title = benchmark.Title,
            Protocol = benchmark.Protocol,
            MainScore = items[0].ScoreNames[^1],
            Data = Path.GetFileName(data.Path),
            DataSha256 = data.Sha256,
            Since = result.GetValue(arguments.Since),
            Until = result.GetValue(arguments.Until),
            Items = items.Count,
            Samples = result.GetValue(arguments.Samples) ?? 1,
            Model = model.Name,
            Location = model.Location,
            MaxTokens = result.GetValue(arguments.MaxTokens) ?? benchmark.MaxTokens,
            Temperature = result.GetValue(arguments.Temperature) ?? 0,
            TopP = result.GetValue(arguments.TopP),
            Seed = result.GetValue(arguments.Seed) ?? DefaultSeed,
            MaxInputTokens = maxInputTokens,
            Judge = judge is null ? null : $"{judge.Name}, {judge.Location}",
            Sandbox = checker?.Sandbox,
            Python = checker?.PythonVersion,
        };
        using RunFolder<RunProtocol, ItemResult> folder = RunFolder<RunProtocol, ItemResult>.Open(
            path, protocol, (there, here) => there.DifferencesTo(here));
        EvaluationRun run = new(
            model.Client,
            protocol,
            new Graders(checker, judge is null ? null : new AnswerJudge(judge.Client)),
            parts.Concurrency)
        {
            Cutter = maxInputTokens is int most ? new PromptCutter(tokenizer!, most) : null,
        };
        IReadOnlyList<ItemResult> results = await run.RunAsync(
            items, folder, new EvalStatus(benchmark.Title, terminal.Status), terminal.Interrupts.Token);
        terminal.Status.Clear();
        RunSummary summary = RunSummary.Of(protocol, results);
        RunReport.Write(summary, folder);
        WriteTable(terminal, summary);
    }

    private static void WriteTable(CommandTerminal terminal, RunSummary summary)
    {
        TextTable table = new("score", "items", "right", "value", "95 % interval");
        foreach (ScoreRow row in summary.Scores)
        {
            table.Add(
                row.Group is null ? row.Name : $"  {row.Group}",
                $"{row.Items:N0}",
                $"{row.Correct:N0}",
                RunReport.Percent(row.Value),
                $"{RunReport.Percent(row.Interval.Low)} – {RunReport.Percent(row.Interval.High)}");
        }

        table.WriteTo(terminal, title: $"{summary.Run.Title}, {summary.Run.Model}");
    }
}
