using System.CommandLine;
using Kimi.Evaluation;
using Kimi.Evaluation.Execution;
using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Extensions.AI;
using KimiLinear.Model;
using KimiLinear.Tokenization;

namespace Kimi.CommandLine;

/// <summary>Opens what a run of a benchmark needs, as its options say.</summary>
internal sealed class EvalParts(EvalArguments arguments, ParseResult result, CommandTerminal terminal)
{
    private const int DefaultConcurrency = 8;

    private const string DefaultPython = "python3";

    public int Concurrency { get; } = result.GetValue(arguments.Concurrency) ?? DefaultConcurrency;

    /// <summary>Reads the items that are to be asked.</summary>
    public IReadOnlyList<BenchmarkItem> ReadItems(Benchmark benchmark, DataFile data)
    {
        IReadOnlyList<BenchmarkItem> items = benchmark.Read(data);
        if (items.GroupBy(item => item.Id).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new CommandException($"'{data.Path}' has {twice.Count()} items of the name '{twice.Key}'; names must differ.");
        }

        if (items.FirstOrDefault(item => item.ScoreNames.Count != items[0].ScoreNames.Count) is { } other)
        {
            throw new CommandException(
                $"'{data.Path}' mixes two formats: '{items[0].Id}' and '{other.Id}' do not have the same tests. Split the file.");
        }

        DateOnly? since = result.GetValue(arguments.Since), until = result.GetValue(arguments.Until);
        if (since is not null || until is not null)
        {
            BenchmarkItem? undated = items.FirstOrDefault(item => item.Date is null);
            items = undated is null
                ? [.. items.Where(item => (since is null || item.Date >= since) && (until is null || item.Date <= until))]
                : throw new CommandException($"--since and --until need dates, but '{undated.Id}' in '{data.Path}' has none.");
        }

        items = [.. items.Take(result.GetValue(arguments.Limit) ?? items.Count)];
        return items.Count > 0 ? items : throw new CommandException($"'{data.Path}' has no items of the days asked for.");
    }

    /// <summary>Loads the model, or connects to where it is served.</summary>
    public async Task<ModelUnderTest> OpenModelAsync()
    {
        if (result.GetValue(arguments.Endpoint) is { } endpoint)
        {
            return await ModelUnderTest.ConnectAsync(
                endpoint, result.GetValue(arguments.ServedModel), terminal.Interrupts.Token);
        }

        string path = await ModelFiles.FindAsync(
            result.GetValue(arguments.Model)!, result.GetValue(arguments.Download), terminal);
        KimiTokenizer tokenizer = KimiTokenizer.Load(path);
        GenerationConfig recommended = GenerationConfig.Load(path);
        KimiLinearModel model = ModelFiles.Load(
            path, arguments.Compute.Read(result, result.GetValue(arguments.Format)), terminal);
        KimiLinearChatClient client = new(
            model, tokenizer, recommended, new KimiLinearChatClientOptions { MaxConcurrentRequests = Concurrency });
        return new ModelUnderTest(client, model.Name, Path.GetFullPath(path), tokenizer, model);
    }

    /// <summary>Connects to the judge, if one is asked for.</summary>
    public async Task<ModelUnderTest?> OpenJudgeAsync() => result.GetValue(arguments.JudgeEndpoint) is { } endpoint
        ? await ModelUnderTest.ConnectAsync(endpoint, result.GetValue(arguments.JudgeModel), terminal.Interrupts.Token)
        : null;

    /// <summary>Finds the Python that runs generated programs, and a sandbox that holds it.</summary>
    /// <exception cref="CommandException">There is none, and the user does not insist on going without.</exception>
    public async Task<ProgramChecker> OpenCheckerAsync()
    {
        PythonInterpreter python = await PythonInterpreter.FindAsync(
            result.GetValue(arguments.Python) ?? DefaultPython, terminal.Interrupts.Token);
        return new ProgramChecker(
            result.GetValue(arguments.UnsafeExecution)
                ? new NoSandbox()
                : await SandboxFinder.FindAsync(
                    python, [new BubblewrapSandbox(), new NamespaceSandbox()], terminal.Interrupts.Token),
            python);
    }

    /// <summary>The most tokens of a prompt, and the tokenizer that counts them.</summary>
    public (int? Most, KimiTokenizer? Tokenizer) ReadInputLimit(Benchmark benchmark, ModelUnderTest model)
    {
        int? most = result.GetValue(arguments.MaxInputTokens) ?? benchmark.MaxInputTokens;
        KimiTokenizer? tokenizer =
            result.GetValue(arguments.Tokenizer) is { } path ? KimiTokenizer.Load(path) : model.Tokenizer;
        return most is null || tokenizer is not null
            ? (most, tokenizer)
            : throw new CommandException(
                $"Prompts are to have at most {most:N0} tokens, but how the endpoint counts them is not known. "
                + "Name a folder with the model's tokenizer with --tokenizer.");
    }
}
