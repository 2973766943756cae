using System.CommandLine;
using System.Globalization;
using Kimi.Evaluation;
using Kimi.Evaluation.Benchmarks;
using KimiLinear.Checkpoints;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options of a run of a benchmark.</summary>
internal sealed class EvalArguments
{
    private const int MaxConcurrency = 1024;

    public Option<Benchmark> Benchmark { get; } = new("--benchmark", "-b")
    {
        Description = "Which benchmark the file is of; exact is our own format for any task.",
        HelpName = string.Join('|', BenchmarkCatalog.Names),
        Required = true,
        CustomParser = result =>
        {
            string name = result.Tokens[0].Value;
            if (BenchmarkCatalog.Find(name) is { } benchmark)
            {
                return benchmark;
            }

            result.AddError($"--benchmark must be one of {string.Join(", ", BenchmarkCatalog.Names)}, but is '{name}'.");
            return null;
        },
    };

    public Option<string> Data { get; } = new("--data", "-d")
    {
        Description = "The benchmark's own file; none comes with the tool.",
        HelpName = "FILE",
        Required = true,
    };

    public Option<string> Out { get; } = new("--out", "-o")
    {
        Description = "The folder of the run: items.jsonl, report.json, report.md, scores.svg. The same command continues it.",
        HelpName = "DIR",
        Required = true,
    };

    public Option<string?> Model { get; } = new("--model", "-m")
    {
        Description = "The model to judge, run in this process: a folder, a GGUF file, or a name on the hub.",
        HelpName = "MODEL",
    };

    public Option<bool> Download { get; } = CommonOptions.Download();

    public Option<Uri?> Endpoint { get; } = Address("--endpoint", "Judge the model of a server of OpenAI's interface instead.");

    public Option<string?> ServedModel { get; } = new("--served-model")
    {
        Description = "The model's name at the endpoint [default: the only one there].",
        HelpName = "NAME",
    };

    public Option<int?> Limit { get; } = NumberOption.Whole("--limit", "Only the file's first N items [default: all].", 1);

    public Option<int?> Samples { get; } = NumberOption.Whole("--samples", "Replies to each item [default: 1].", 1, 1000);

    public Option<int?> Concurrency { get; } = NumberOption.Whole(
        "--concurrency", "Requests open at a time [default: 8].", 1, MaxConcurrency);

    public Option<int?> MaxTokens { get; } = CommonOptions.MaxTokens("The most tokens of a reply [default: the benchmark's].");

    public Option<int?> MaxInputTokens { get; } = NumberOption.Whole(
        "--max-input-tokens", "Removes the middle of longer prompts [default: the benchmark's, mostly none].", 2);

    public Option<string?> Tokenizer { get; } = new("--tokenizer")
    {
        Description = "A model folder whose tokenizer counts the tokens of prompts for an endpoint.",
        HelpName = "MODEL",
    };

    public Option<float?> Temperature { get; } = NumberOption.Create<float>(
        "--temperature", "0 takes the most likely token [default: 0].", "a number, at least 0",
        value => float.IsFinite(value) && value >= 0);

    public Option<float?> TopP { get; } = NumberOption.Create<float>(
        "--top-p", "Keeps the most likely tokens that together reach this probability.",
        "a number above 0 and at most 1", value => value is > 0 and <= 1);

    public Option<long?> Seed { get; } = NumberOption.Whole<long>(
        "--seed", "Seed of drawn tokens and of the intervals' draws [default: 42].", 0);

    public Option<DateOnly?> Since { get; } = Date("--since", "Only problems of this day or later, such as 2025-01-01.");

    public Option<DateOnly?> Until { get; } = Date("--until", "Only problems of this day or earlier.");

    public Option<Uri?> JudgeEndpoint { get; } = Address(
        "--judge-endpoint", "A server whose model compares answers, for frames; without it they must match exactly.");

    public Option<string?> JudgeModel { get; } = new("--judge-model")
    {
        Description = "The judge's name at its endpoint [default: the only one there].",
        HelpName = "NAME",
    };

    public Option<string?> Python { get; } = new("--python")
    {
        Description = "The Python that runs generated programs [default: python3].",
        HelpName = "PATH",
    };

    public Option<bool> UnsafeExecution { get; } = new("--unsafe-execution")
    {
        Description = "Run generated programs without a sandbox, with all that you may do. Only in a machine that may be lost.",
    };

    public Option<WeightFormat?> Format { get; } = FormatOption.ForLoading();

    public ComputeArguments Compute { get; } = new();

    public void AddTo(Command command)
    {
        Option[] all =
        [
            Benchmark, Data, Out, Model, Download, Endpoint, ServedModel, Limit, Samples, Concurrency, MaxTokens, MaxInputTokens,
            Tokenizer, Temperature, TopP, Seed, Since, Until, JudgeEndpoint, JudgeModel, Python, UnsafeExecution, Format,
        ];
        foreach (Option option in all)
        {
            command.Add(option);
        }

        Compute.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(Model) is null == result.GetResult(Endpoint) is null)
            {
                result.AddError("The model to judge must be given in one way: --model or --endpoint.");
            }
            else if (result.GetResult(Model) is not null && result.GetResult(ServedModel) is not null)
            {
                result.AddError("--served-model names a model at an --endpoint; it cannot be combined with --model.");
            }
            else if (result.GetValue(Samples) > 1 && (result.GetValue(Temperature) ?? 0) == 0)
            {
                result.AddError("--samples asks for several replies, all the same at temperature 0; give --temperature.");
            }
            else if (result.GetResult(JudgeModel) is not null && result.GetResult(JudgeEndpoint) is null)
            {
                result.AddError("--judge-model names a model at a --judge-endpoint, which is missing.");
            }
            else if (result.GetResult(JudgeEndpoint) is not null && result.GetValue(Benchmark) is { TakesJudge: false } benchmark)
            {
                result.AddError($"--judge-endpoint is for benchmarks whose answers a model compares; {benchmark.Name} is none.");
            }
        });
    }

    private static Option<DateOnly?> Date(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DATE",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date))
            {
                return date;
            }

            result.AddError($"{name} must be a day such as 2025-01-31, but is '{text}'.");
            return null;
        },
    };

    private static Option<Uri?> Address(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "URL",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https")
            {
                return address;
            }

            result.AddError($"{name} must be an address such as http://localhost:8000/v1, but is '{text}'.");
            return null;
        },
    };
}
