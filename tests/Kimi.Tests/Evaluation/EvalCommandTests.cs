using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>The commands as a shell runs them.</summary>
public sealed class EvalCommandTests : IDisposable
{
    private const string Listening = "Now listening on: ";

    private static readonly string Tiny = TestFiles.TinyModel;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string[]> CommandLines() => new()
    {
        { "'--benchmark' is required. See 'kimi eval run --help'", ["eval", "run", "--data", "x", "--out", "y", "--model", "z"] },
        {
            "--benchmark must be one of humaneval, mbpp, livecodebench, gsm8k,",
            ["eval", "run", "-b", "gsm9k", "-d", "x", "-o", "y", "-m", "z"]
        },
        { "in one way: --model or --endpoint", ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y"] },
        {
            "in one way: --model or --endpoint",
            ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y", "-m", "z", "--endpoint", "http://a/v1"]
        },
        { "--endpoint must be an address", ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y", "--endpoint", "localhost"] },
        {
            "--served-model names a model at an --endpoint",
            ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y", "-m", "z", "--served-model", "k"]
        },
        { "all the same at temperature 0", ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y", "-m", "z", "--samples", "4"] },
        {
            "--since must be a day such as 2025-01-31, but is 'May'",
            ["eval", "run", "-b", "livecodebench", "-d", "x", "-o", "y", "-m", "z", "--since", "May"]
        },
        { "gsm8k is none", ["eval", "run", "-b", "gsm8k", "-d", "x", "-o", "y", "-m", "z", "--judge-endpoint", "http://a/v1"] },
        { "There is no file 'no-such-file'", ["eval", "run", "-b", "gsm8k", "-d", "no-such-file", "-o", "y", "-m", Tiny] },
        { "--data must name a file", ["eval", "run", "-b", "gsm8k", "-d", Tiny, "-o", "y", "-m", Tiny] },
        { "'no-such-run' holds no run", ["eval", "compare", "no-such-run", "other"] },
        { "There is no file 'no-such-file'", ["eval", "perplexity", "-m", Tiny, "-d", "no-such-file", "-o", "y"] },
        {
            "is no folder and no file",
            ["eval", "perplexity", "-m", "no-such-model", "-d", Path.Combine(Tiny, "config.json"), "-o", "y"]
        },
        {
            "must have the same vocabulary",
            ["eval", "perplexity", "-m", Tiny, "--reference", TestFiles.GoldenModel("plain"), "-d", Path.Combine(Tiny, "config.json"), "-o", "y"]
        },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task Eval_WrongArguments_SaysSoInOneLine(string expected, string[] arguments)
    {
        KimiResult result = await KimiProcess.RunAsync(arguments);

        Assert.Contains(expected, result.Error);
        Assert.StartsWith("kimi: ", result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal("", result.Output);
        Assert.Equal(1, result.ExitCode);
        Assert.False(Path.Exists("y"));
    }

    [Theory]
    [InlineData("{\"text\":\"\"}", "line 1 has fewer than two tokens")]
    [InlineData("{\"ids\":[1,2]}\n{\"ids\":[1,99999]}", "line 2 must have token ids from 0 to ")]
    [InlineData("{\"messages\":[{\"role\":\"user\"", "line 1 is not valid JSON")]
    [InlineData("{\"messages\":7}", "line 1 is no conversation")]
    [InlineData("[]", "data.jsonl' is empty")]
    [InlineData("{\"ids\":[1,2],\"\\ud800\":1}", "line 1 has a field whose name is no text")]
    [InlineData("{\"words\":7}", "line 1 must have one of \"text\", \"messages\" and \"ids\"")]
    public async Task Perplexity_BrokenData_SaysWhereAndWhat(string data, string expected)
    {
        File.WriteAllText(_folder.File("data.jsonl"), data);

        KimiResult result = await KimiProcess.RunAsync(
            ["eval", "perplexity", "-m", Tiny, "-d", _folder.File("data.jsonl"), "-o", _folder.File("run")]);

        Assert.Contains(expected, result.Error);
        Assert.Equal(1, result.ExitCode);
        Assert.False(Path.Exists(_folder.File("run")));
    }

    [Fact]
    public async Task Perplexity_TokenizerOfALargerModel_SaysSo()
    {
        using TemporaryFolder model = new();
        model.CopyFrom(TestFiles.GoldenModel("plain"), "config.json", "model.safetensors");
        model.CopyFrom(Tiny, "tiktoken.model", "tokenizer_config.json");
        int vocabulary = JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(model.File("config.json")))
            .GetProperty("vocab_size").GetInt32();
        File.WriteAllText(_folder.File("data.jsonl"), "{\"text\":\"The weather in Paris is sunny.\"}");

        KimiResult result = await KimiProcess.RunAsync(
            ["eval", "perplexity", "-m", model.Path, "-d", _folder.File("data.jsonl"), "-o", _folder.File("run")]);

        Assert.Contains($"but the model knows {vocabulary} only", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public async Task Perplexity_ModelThatComputesNoNumbers_SaysSo()
    {
        using TemporaryFolder model = new();
        model.CopyFrom(Tiny, "config.json", "model.safetensors", "tiktoken.model", "tokenizer_config.json");
        byte[] file = File.ReadAllBytes(model.File("model.safetensors"));
        int header = (int)BitConverter.ToInt64(file);
        int[] range = JsonSerializer.Deserialize<JsonElement>(file.AsSpan(8, header))
            .GetProperty("model.norm.weight").GetProperty("data_offsets").Deserialize<int[]>()!;
        file.AsSpan(8 + header)[range[0]..range[1]].Fill(0xFF);
        File.WriteAllBytes(model.File("model.safetensors"), file);
        File.WriteAllText(_folder.File("data.jsonl"), "{\"ids\":[1,2,3]}");

        KimiResult result = await KimiProcess.RunAsync(
            ["eval", "perplexity", "-m", model.Path, "-d", _folder.File("data.jsonl"), "-o", _folder.File("run")]);

        Assert.StartsWith(
            $"kimi: The model '{Path.GetFileName(model.Path)}' gives document 1 a loss that is no finite number", result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public async Task Run_ModelInThisProcess_IsScoredAndReported()
    {
        WriteQuestions(answers: ["?", "?", "?"]);
        string[] lines = await RunAsync("first");
        string[] replies = [.. Items("first").Select(item => item.GetProperty("output").GetString()!.Trim())];

        // Two of the replies become the right answers.
        WriteQuestions(answers: [replies[0], "something else", replies[2]]);
        string[] second = await RunAsync("second");

        Assert.Equal("Exact match, kimi-linear-tiny", lines[0]);
        Assert.Matches(@"accuracy +3 +0 +0\.0 % +0\.0 % – 56\.1 %", lines[2]);
        Assert.Matches(@"accuracy +3 +2 +66\.7 % +20\.8 % – 93\.9 %", second[2]);
        Assert.Equal(
            ["items.jsonl", "report.json", "report.md", "run.json", "scores.svg"],
            Directory.GetFiles(_folder.File("first")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task Run_Endpoint_MeetsTheModelOnEqualTerms()
    {
        WriteQuestions(answers: ["a", "b", "c"]);
        using Process server = KimiProcess.Start("serve", Tiny, "--port", "0", "--served-model-name", "tiny");
        try
        {
            string address = "";
            while (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line
                && !line.Contains("Ready: "))
            {
                int at = line.IndexOf(Listening, StringComparison.Ordinal);
                address = at < 0 ? address : line[(at + Listening.Length)..].Trim();
            }

            await RunAsync("direct");
            await KimiProcess.LinesAsync(
                [
                    "eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", _folder.File("served"),
                    "--endpoint", $"{address}/v1", "--max-tokens", "12",
                ]);
        }
        finally
        {
            server.Kill();
        }

        string[] comparison = await KimiProcess.LinesAsync(["eval", "compare", _folder.File("direct"), _folder.File("served")]);

        Assert.Equal(
            Items("direct").Select(item => item.GetProperty("output").GetString()),
            Items("served").Select(item => item.GetProperty("output").GetString()));
        Assert.Contains("- 3 items that both answered", comparison);
        Assert.Contains(comparison, line => line.EndsWith("| 0 | 0 | 1.0000 | no difference shown |", StringComparison.Ordinal));
        Assert.Contains("tiny", File.ReadAllText(Path.Combine(_folder.File("served"), "run.json")));
    }

    [Fact]
    public async Task Run_EndpointThatIsNotThere_SaysSo()
    {
        WriteQuestions(answers: ["a"]);

        KimiResult result = await KimiProcess.RunAsync(
            ["eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", _folder.File("run"), "--endpoint", "http://127.0.0.1:1/v1"]);

        Assert.Contains("http://127.0.0.1:1/v1 does not say which models it serves", result.Error);
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public async Task Run_KilledAtAnyMoment_GoesOnToTheSameResults()
    {
        WriteQuestions(answers: [.. Enumerable.Range(0, 40).Select(i => $"{i}")]);
        await RunAsync("undisturbed");
        long whole = new FileInfo(Path.Combine(_folder.File("undisturbed"), "items.jsonl")).Length;
        FileInfo items = new(Path.Combine(_folder.File("killed"), "items.jsonl"));
        for (int sixth = 1; sixth <= 5; sixth++)
        {
            using Process process = KimiProcess.Start(Arguments("killed"));
            while (!process.HasExited && !(items.Exists && items.Length >= whole * sixth / 6))
            {
                await Task.Delay(5, TestContext.Current.CancellationToken);
                items.Refresh();
            }

            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await RunAsync("killed");

        Assert.Equal(40, File.ReadAllLines(items.FullName).Length);
        Assert.Equal(
            Items("undisturbed").Select(item => item.GetProperty("output").GetString()),
            Items("killed").Select(item => item.GetProperty("output").GetString()));
    }

    [Theory]
    [InlineData("Every judged reply is kept at once", "eval", "run", "--help")]
    [InlineData("kimi eval compare runs/gsm8k-48b runs/gsm8k-35b", "eval", "compare", "--help")]
    [InlineData("--reference", "eval", "perplexity", "--help")]
    [InlineData("perplexity", "eval", "--help")]
    public async Task Help_OfEachCommand_Teaches(string expected, params string[] arguments)
    {
        string text = string.Join('\n', await KimiProcess.LinesAsync(arguments));

        Assert.Contains(expected, text);
        Assert.Contains("Examples:", text);
    }

    private void WriteQuestions(string[] answers) => File.WriteAllLines(_folder.File("data.jsonl"), answers.Select((answer, i) =>
        JsonSerializer.Serialize(new { messages = new[] { new { role = "user", content = $"Say {i} and {i * i}." } }, answer })));

    private string[] Arguments(string run) =>
        ["eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", _folder.File(run), "-m", Tiny, "--max-tokens", "12"];

    private Task<string[]> RunAsync(string run) => KimiProcess.LinesAsync(Arguments(run));

    private IEnumerable<JsonElement> Items(string run) => File.ReadLines(Path.Combine(_folder.File(run), "items.jsonl"))
        .Select(line => JsonSerializer.Deserialize<JsonElement>(line))
        .OrderBy(item => int.Parse(item.GetProperty("id").GetString()!));
}
