using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>Observing experts from the command line.</summary>
public sealed class ObserveTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private static readonly string Tiny = TestFiles.TinyModel;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, bool> GoldenModels()
    {
        TheoryData<string, bool> cases = [];
        foreach (string name in (string[])["plain", "sharded-f16", "grouped", "no-shared", "strong-decay", "head128"])
        {
            cases.Add(name, false);
            cases.Add(name, true);
        }

        return cases;
    }

    public static TheoryData<string, string[]> Mistakes() => new()
    {
        { "'--model' and '--data' are required", ["--model", Tiny] },
        { "'--model' and '--data' are required", ["--data", "data.jsonl"] },
        { "'--out' is required", ["--model", Tiny, "--data", "data.jsonl", "--without-out"] },
        { "--gate must be one of model, model-scaled, hf-alias, repo-literal", ["--model", Tiny, "--data", "data.jsonl", "--gate", "soft"] },
        { "--data-spec: Entry 2, at character 9, is 'b', but lacks ':N'", ["--model", Tiny, "--data-spec", "data:1, b", "--data-folder", "."] },
        { "holds no file for the data set 'b(train):1'", ["--model", Tiny, "--data-spec", "b:1", "--data-folder", "."] },
        { "data.jsonl' holds 1 records, of which 1 can be used, but 2 are asked for", ["--model", Tiny, "--data-spec", "data:2", "--data-folder", "."] },
        { "--data-spec needs --data-folder", ["--model", Tiny, "--data-spec", "data:1"] },
        { "--data-folder goes with --data-spec", ["--model", Tiny, "--data", "data.jsonl", "--data-folder", "."] },
        { "in place of --data and --weights", ["--model", Tiny, "--data", "data.jsonl", "--data-spec", "data:1", "--data-folder", "."] },
        { "--tokens and --records cannot be combined", ["--model", Tiny, "--data-spec", "data:1", "--data-folder", ".", "--tokens", "9"] },
        { "cannot be combined", ["--data-spec", "data:1", "--data-folder", ".", "--merge", "data.jsonl"] },
        { "--weights must be 1 numbers above 0", ["--model", Tiny, "--data", "data.jsonl", "--weights", "1,2"] },
        { "--max-length is 2,000,000", ["--model", Tiny, "--data", "data.jsonl", "--max-length", "2000000"] },
        { "--step-tokens must be", ["--model", Tiny, "--data", "data.jsonl", "--step-tokens", "0"] },
        { "--save-every must be", ["--model", Tiny, "--data", "data.jsonl", "--save-every", "-1"] },
        { "cannot be combined", ["--model", Tiny, "--merge", "data.jsonl"] },
        { "is no observation", ["--merge", "data.jsonl"] },
        { "Could not find file", ["--model", Tiny, "--data", "missing.jsonl"] },
        { "'broken.jsonl', line 3: messages[1].role is missing.", ["--model", Tiny, "--data", "data.jsonl", "broken.jsonl"] },
        { "has the keys 'txt'", ["--model", Tiny, "--data", "typing.jsonl"] },
        { "holds no record that can be used: it is empty", ["--model", Tiny, "--data", "empty.jsonl"] },
        { "the model has no tokenizer", ["--model", TestFiles.GoldenModel("plain"), "--data", "data.jsonl"] },
        { "ids.jsonl', line 1: its token 2 is 99999, but the model's ids go from 0 to ", ["--model", Tiny, "--data", "ids.jsonl"] },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(GoldenModels))]
    public async Task Observe_GoldenModel_MatchesGolden(string name, bool layerWise)
    {
        string expected = Path.Combine(TestFiles.GoldenModel(name), "expected.safetensors");
        int[] ids = Safetensors.Read<int>(expected, "input_ids", out _, out _);
        string data = Write("data.jsonl", new { ids });
        string result = _folder.File("OBS.json");

        string[] lines = await KimiProcess.LinesAsync(
            ["observe", "--model", TestFiles.GoldenModel(name), "--data", data, "--out", result, .. LayerWise(layerWise)]);

        Assert.StartsWith($"{result}: {ids.Length} tokens through", Assert.Single(lines));
        JsonElement[] layers = [.. Read(result).GetProperty("layers").EnumerateArray()];
        Assert.NotEmpty(layers);
        foreach (JsonElement layer in layers)
        {
            int index = layer.GetProperty("layer").GetInt32();
            foreach (string array in (string[])["token_count", "saliency", "norm_sum"])
            {
                double[] wanted = Safetensors.Read<double>(expected, $"reap.{index}.{array}", out _, out _);
                double[] actual = layer.GetProperty(array).Deserialize<double[]>()!;
                Assert.Equal(wanted.Length, actual.Length);
                Assert.All(wanted.Zip(actual), pair => Assert.InRange(
                    Math.Abs(pair.Second - pair.First), 0, Tolerance * Math.Abs(pair.First)));
            }
        }
    }

    [Fact]
    public async Task Observe_PartsMerged_CountLikeTheWhole()
    {
        string[] records = [.. Conversations().Take(20)];
        string first = _folder.File("first.jsonl");
        string second = _folder.File("second.jsonl");
        await File.WriteAllLinesAsync(first, records[..8], TestContext.Current.CancellationToken);
        await File.WriteAllLinesAsync(second, records[8..], TestContext.Current.CancellationToken);

        JsonElement whole = await ObserveAsync("whole.json", "--data", first, second);
        await ObserveAsync("one.json", "--data", first, "--threads", "1");
        await ObserveAsync("two.json", "--data", second, "--layer-wise");
        string merged = _folder.File("merged.json");
        await KimiProcess.LinesAsync(["observe", "--merge", _folder.File("one.json"), _folder.File("two.json"), "--out", merged]);

        JsonElement sum = Read(merged);
        Assert.Equal(2, sum.GetProperty("calibration").GetArrayLength());
        Assert.Equal(whole.GetProperty("total_tokens").GetInt64(), sum.GetProperty("total_tokens").GetInt64());
        Assert.Equal(Counts(whole), Counts(sum));
    }

    /// <summary>What a specification finds counts as the same records do when their files are named.</summary>
    [Fact]
    public async Task Observe_DataSpecification_TakesSoManyRecordsOfEachDataSet()
    {
        string[] records = [.. Conversations().Take(16)];
        Directory.CreateDirectory(_folder.File("sets/thoughts/code"));
        string chat = _folder.File("sets/chat.jsonl");
        string code = _folder.File("sets/thoughts/code/tool.jsonl");
        await File.WriteAllLinesAsync(chat, records[..8], TestContext.Current.CancellationToken);
        await File.WriteAllLinesAsync(code, records[8..], TestContext.Current.CancellationToken);
        string[] specification = ["--data-spec", "org/chat:3, org/thoughts[code](tool):3", "--data-folder", _folder.File("sets")];

        JsonElement found = await ObserveAsync("found.json", specification);
        JsonElement named = await ObserveAsync("named.json", "--data", chat, code, "--records", "6", "--seed", "42");
        JsonElement other = await ObserveAsync("other.json", [.. specification, "--seed", "1"]);

        JsonElement summary = found.GetProperty("calibration")[0];
        JsonElement[] sources = [.. summary.GetProperty("sources").EnumerateArray()];
        Assert.Equal(
            ["org/chat(train):3", "org/thoughts[code](tool):3"],
            sources.Select(source => source.GetProperty("data_set").GetString()));
        Assert.Equal([3, 3], sources.Select(source => source.GetProperty("used_records").GetInt32()));
        Assert.Equal(42, summary.GetProperty("seed").GetInt32());
        Assert.False(named.GetProperty("calibration")[0].GetProperty("sources")[0].TryGetProperty("data_set", out _));
        Assert.Equal(Hash(named), Hash(found));
        Assert.NotEqual(Hash(other), Hash(found));
        Assert.Equal(Counts(named), Counts(found));

        static string Hash(JsonElement observation) => observation.GetProperty("calibration")[0].GetProperty("token_hash").GetString()!;
    }

    [Fact]
    public async Task Observe_SameAgain_TakesWhatIsThere()
    {
        string data = WriteConversations(5);
        string[] command = ["observe", "--model", Tiny, "--data", data, "--out", _folder.File("OBS.json")];
        await KimiProcess.LinesAsync(command);
        byte[] before = await File.ReadAllBytesAsync(_folder.File("OBS.json"), TestContext.Current.CancellationToken);

        string[] again = await KimiProcess.LinesAsync(command);
        KimiResult other = await KimiProcess.RunAsync([.. command, "--gate", "hf-alias"]);

        Assert.Contains("was there already", again[0]);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("exists already and holds another observation", other.Error);
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder.File("OBS.json"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Observe_BegunWithOtherOptions_IsRefused()
    {
        string data = WriteConversations(40);
        string result = _folder.File("OBS.json");
        string[] command =
            ["observe", "--model", Tiny, "--data", data, "--out", result, "--save-every", "0", "--step-tokens", "8", "--threads", "1"];
        using (Process process = KimiProcess.Start(command))
        {
            while (!File.Exists(Path.Combine(result + ".partial", "progress.json")))
            {
                await Task.Delay(1, TestContext.Current.CancellationToken);
            }

            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        KimiResult other = await KimiProcess.RunAsync([.. command, "--gate", "hf-alias"]);

        Assert.Equal(1, other.ExitCode);
        Assert.Contains("holds a part of another observation", other.Error);
        Assert.False(File.Exists(result));
        await KimiProcess.LinesAsync(command);
        Assert.True(File.Exists(result));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Observe_KilledAtRandomMoments_GivesTheBytesOfAnUndisturbedRun(bool layerWise)
    {
        const int KillCount = 25;
        string data = WriteConversations(24);
        string undisturbed = _folder.File("undisturbed.json");
        long start = Stopwatch.GetTimestamp();
        await KimiProcess.LinesAsync(Command(undisturbed));
        TimeSpan length = Stopwatch.GetElapsedTime(start);
        byte[] expected = await File.ReadAllBytesAsync(undisturbed, TestContext.Current.CancellationToken);
        Random random = new(layerWise ? 1 : 2);
        int kills = 0;
        int finished = 0;
        while (kills < KillCount || finished == 0)
        {
            string result = _folder.File($"killed-{finished}.json");
            using Process process = KimiProcess.Start(Command(result));
            using CancellationTokenSource moment = new(kills < KillCount ? random.NextDouble() * length : TimeSpan.FromSeconds(60));
            try
            {
                await process.WaitForExitAsync(moment.Token);
                Assert.Equal("", await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
                Assert.Equal(expected, await File.ReadAllBytesAsync(result, TestContext.Current.CancellationToken));
                Assert.False(Directory.Exists(result + ".partial"));
                finished++;
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
                kills++;
            }
        }

        string[] Command(string result) =>
        [
            "observe", "--model", Tiny, "--data", data, "--out", result, "--save-every", "0", "--step-tokens", "64", "--threads", "1",
            "--output-sums", .. LayerWise(layerWise),
        ];
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task Observe_Mistake_IsOneLineAndLeavesNothing(string problem, string[] arguments)
    {
        Write("data.jsonl", new { text = "Hello" });
        Write("ids.jsonl", new { ids = (int[])[1, 2, 99999] });
        Write("typing.jsonl", new { txt = "Hello" });
        await File.WriteAllTextAsync(_folder.File("empty.jsonl"), "\n \n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            _folder.File("broken.jsonl"),
            """
            {"text": "fine"}

            {"messages": [{"role": "user", "content": "Hello"}, {"content": "Hi"}]}
            """,
            TestContext.Current.CancellationToken);
        string[] before = Directory.GetFileSystemEntries(_folder.Path);
        string[] output = arguments.Contains("--without-out") ? [] : ["--out", "OBS.json"];
        ProcessStartInfo start = KimiProcess.StartInfo(["observe", .. arguments.Except(["--without-out"]), .. output]);
        start.WorkingDirectory = _folder.Path;

        KimiResult result = await KimiProcess.RunAsync(Process.Start(start)!);

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(problem, Assert.Single(result.Error.TrimEnd('\n').Split('\n')));
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder.Path));
    }

    private static string[] LayerWise(bool layerWise) => layerWise ? ["--layer-wise"] : [];

    private static JsonElement Read(string path) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(path));

    private static long[][] Counts(JsonElement observation) =>
    [
        .. observation.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("token_count").Deserialize<long[]>()!),
    ];

    private static IEnumerable<string> Conversations() => TestFiles.GoldenLines("tiny/greedy.jsonl")
        .Select(line => JsonSerializer.Serialize(new { messages = line.GetProperty("messages") }));

    private async Task<JsonElement> ObserveAsync(string name, params string[] arguments)
    {
        await KimiProcess.LinesAsync(["observe", "--model", Tiny, "--out", _folder.File(name), .. arguments]);
        return Read(_folder.File(name));
    }

    private string WriteConversations(int count)
    {
        string path = _folder.File("conversations.jsonl");
        File.WriteAllLines(path, Conversations().Take(count));
        return path;
    }

    private string Write(string name, object record)
    {
        File.WriteAllText(_folder.File(name), JsonSerializer.Serialize(record) + "\n");
        return _folder.File(name);
    }
}
