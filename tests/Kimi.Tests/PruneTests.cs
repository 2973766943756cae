using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>Planning and pruning from the command line.</summary>
public sealed class PruneTests : IDisposable
{
    private static readonly string Tiny = TestFiles.TinyModel;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Prune_SmallModel_FromObservationToAModelThatRuns()
    {
        string observation = await ObserveAsync();

        string[] planned = await KimiProcess.LinesAsync(
            ["plan", "--obs", observation, "--ratio", "0.3", "--out", _folder.File("PLAN.json"), "--draw", _folder.File("MAP.svg")]);
        string[] pruned = await KimiProcess.LinesAsync(["prune", Tiny, _folder.File("pruned"), "--plan", _folder.File("PLAN.json")]);

        Assert.Contains("keeps 14 of 20 experts in each of 5 layers (criterion: reap)", planned[0], StringComparison.Ordinal);
        Assert.Contains("14 experts a layer", pruned[0], StringComparison.Ordinal);
        string map = await File.ReadAllTextAsync(_folder.File("MAP.svg"), TestContext.Current.CancellationToken);
        Assert.StartsWith("<svg", map, StringComparison.Ordinal);
        JsonElement facts = JsonSerializer.Deserialize<JsonElement>(
            string.Concat(await KimiProcess.LinesAsync(["inspect", _folder.File("pruned"), "--json"])));
        Assert.Equal(3_623_020 - (5 * 6 * ((3 * 64 * 128) + 128 + 1)), facts.GetProperty("parameters").GetProperty("total").GetInt64());
        Assert.NotEmpty(await KimiProcess.LinesAsync(
            ["generate", "--model", _folder.File("pruned"), "--max-tokens", "5", "--prompt", "Hello"]));

        await KimiProcess.LinesAsync(["plan", "recover", Tiny, _folder.File("pruned"), "--out", _folder.File("FOUND.json")]);
        string[] same = await KimiProcess.LinesAsync(["plan", "compare", _folder.File("PLAN.json"), _folder.File("FOUND.json")]);
        Assert.Equal(["Both keep the same experts in all 5 layers."], same);
    }

    [Fact]
    public async Task Plan_Options_DecideWhatIsKept()
    {
        string observation = await ObserveAsync();
        string plan = _folder.File("PLAN.json");

        await KimiProcess.LinesAsync(
            ["plan", "--obs", observation, observation, "--keep", "9", "--multiple-of", "4", "--protect", "2=0,19", "--out", plan]);
        await KimiProcess.LinesAsync(["plan", "--obs", observation, "--keep", "12", "--criterion", "random", "--out", _folder.File("RANDOM.json")]);
        string[] compared = await KimiProcess.LinesAsync(["plan", "compare", plan, _folder.File("RANDOM.json")]);

        JsonElement[] layers = [.. JsonSerializer.Deserialize<JsonElement>(
            await File.ReadAllTextAsync(plan, TestContext.Current.CancellationToken)).GetProperty("layers").EnumerateArray()];
        Assert.All(layers, layer => Assert.Equal(12, layer.GetProperty("keep").GetArrayLength()));
        Assert.Equal([0, 19], layers[1].GetProperty("protected").Deserialize<int[]>()!);
        Assert.Contains(19, layers[1].GetProperty("keep").Deserialize<int[]>()!);
        Assert.StartsWith("layer  both  overlap", compared[0], StringComparison.Ordinal);
        Assert.StartsWith("Overlap over all layers: 0.", compared[^1], StringComparison.Ordinal);
    }

    // Twice the sums over twice the tokens are the same means, bit by bit.
    [Fact]
    public async Task Plan_MeanOutputs_AreMadeOfWhatWasSummedUp()
    {
        string observation = await ObserveAsync("--output-sums");
        string[] plan = ["plan", "--keep", "12", "--criterion", "ean-ca"];

        await KimiProcess.LinesAsync([.. plan, "--obs", observation, "--out", _folder.File("ONCE.json")]);
        await KimiProcess.LinesAsync([.. plan, "--obs", observation, observation, "--out", _folder.File("TWICE.json")]);

        double[][] once = await ScoresAsync("ONCE.json");
        Assert.All(once.SelectMany(scores => scores), score => Assert.InRange(score, 0, double.MaxValue));
        Assert.All(once, scores => Assert.Contains(scores, score => score > 0));
        Assert.Equal(once, await ScoresAsync("TWICE.json"));

        async Task<double[][]> ScoresAsync(string name)
        {
            JsonElement json = JsonSerializer.Deserialize<JsonElement>(
                await File.ReadAllTextAsync(_folder.File(name), TestContext.Current.CancellationToken));
            Assert.Equal("ean-ca", json.GetProperty("criterion").GetString());
            return [.. json.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("scores").Deserialize<double[]>()!)];
        }
    }

    [Theory]
    [InlineData("'--obs' and '--out' are required. See 'kimi plan --help'.", "plan", "--ratio", "0.3")]
    [InlineData("--ratio or --keep. See 'kimi plan --help'.", "plan", "--obs", "OBS.json", "--out", "PLAN.json")]
    [InlineData("--ratio must be a number between 0 and 1, but is '30'", "plan", "--obs", "a", "--ratio", "30", "--out", "b")]
    [InlineData("'best' is no criterion; there are reap, frequency,", "plan", "--obs", "OBS.json", "--keep", "9", "--criterion", "best", "--out", "b")]
    [InlineData("'kimi observe --output-sums'", "plan", "--obs", "OBS.json", "--keep", "9", "--criterion", "ean-ca", "--out", "PLAN.json")]
    [InlineData("--protect must be a layer, '=' and whole numbers,", "plan", "--obs", "OBS.json", "--keep", "9", "--protect", "3:1", "--out", "b")]
    [InlineData("Nothing would be dropped of the 20 experts", "plan", "--obs", "OBS.json", "--ratio", "0.04", "--out", "PLAN.json")]
    [InlineData("3 experts would be kept, but every token visits 4", "plan", "--obs", "OBS.json", "--ratio", "0.85", "--out", "PLAN.json")]
    [InlineData("the folder", "plan", "--obs", "OBS.json", "--ratio", "0.3", "--out", "none/PLAN.json")]
    [InlineData("See 'kimi plan compare --help'.", "plan", "compare", "PLAN.json")]
    [InlineData("Option '--plan' is required. See 'kimi prune --help'.", "prune", "MODEL", "TARGET")]
    [InlineData("cannot be read as a pruning plan", "prune", "MODEL", "TARGET", "--plan", "OBS.json")]
    [InlineData("Could not find file", "prune", "MODEL", "TARGET", "--plan", "none.json")]
    public async Task Command_Mistake_IsOneLineAndLeavesNothing(string complaint, params string[] arguments)
    {
        string observation = await ObserveAsync();
        string[] before = [.. Directory.GetFileSystemEntries(_folder.Path).Order()];
        string[] given = [.. arguments.Select(argument => argument switch
        {
            "MODEL" => Tiny,
            "TARGET" or "PLAN.json" or "none/PLAN.json" or "none.json" => _folder.File(argument),
            "OBS.json" => observation,
            _ => argument,
        })];

        KimiResult result = await KimiProcess.RunAsync(given);

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Contains(complaint, result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.AsSpan().Count('\n'));
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder.Path).Order());
    }

    [Fact]
    public async Task Prune_KilledAtFiftyMoments_EndsWithTheSameBytes()
    {
        string source = Shards();
        string plan = await PlanAsync(source, "0.3");
        string whole = _folder.File("whole/pruned");
        Directory.CreateDirectory(_folder.File("whole"));
        Directory.CreateDirectory(_folder.File("killed"));
        string target = _folder.File("killed/pruned");
        Stopwatch time = Stopwatch.StartNew();
        await KimiProcess.LinesAsync(["prune", source, whole, "--plan", plan]);
        double seconds = time.Elapsed.TotalSeconds;
        Dictionary<string, string> expected = Hashes(whole);
        Random random = new(17);
        int kills = 0;
        int finished = 0;
        while (kills < 50)
        {
            using Process process = KimiProcess.Start("prune", source, target, "--plan", plan);
            await Task.Delay(TimeSpan.FromSeconds(seconds * (0.2 + (0.8 * random.NextDouble()))), TestContext.Current.CancellationToken);
            kills += process.HasExited ? 0 : 1;
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            if (Directory.Exists(target))
            {
                // Whole, whenever it is there; at most the journal of the last step is left inside.
                await KimiProcess.RunAsync(["prune", source, target, "--plan", plan]);
                Assert.Equal(expected, Hashes(target));
                Directory.Delete(target, recursive: true);
                finished++;
            }
        }

        Directory.CreateDirectory(_folder.File("killed"));
        if (!Directory.Exists(target))
        {
            await KimiProcess.LinesAsync(["prune", source, target, "--plan", plan]);
        }

        Assert.Equal(expected, Hashes(target));
        Assert.Equal([target], Directory.GetFileSystemEntries(_folder.File("killed")));
        Assert.InRange(finished, 0, 50);
    }

    // A limit on the size of files stands for a full disk: the system refuses to write on in the middle of one.
    [Fact]
    public async Task Prune_DiskThatIsFull_SaysSoAndLeavesNoModel()
    {
        string plan = await PlanAsync(Tiny, "0.3");

        KimiResult result = await KimiProcess.RunAsync(
            KimiProcess.StartWithFileLimit(4000, "prune", Tiny, _folder.File("pruned"), "--plan", plan));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"'{_folder.File("pruned.partial/model.safetensors")}' cannot be written:", result.Error, StringComparison.Ordinal);
        Assert.Contains("make room", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("pruned")));
        Assert.False(Directory.Exists(_folder.File("pruned.partial")));
    }

    [Fact]
    public async Task Prune_LayoutOfTheLargeModel_CopiesBytesInLittleMemory()
    {
        string source = Directory.CreateDirectory(_folder.File("source")).FullName;
        NarrowModel model = NarrowModel.Write(source, layers: 4, expertDim: 64);
        string plan = model.WritePlan(_folder.File("PLAN.json"), keep: 180);
        string target = _folder.File("pruned");

        (KimiResult result, long peakBytes) = await MeasureAsync(KimiProcess.Start("prune", source, target, "--plan", plan));

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("180 experts a layer", result.Output, StringComparison.Ordinal);
        Assert.InRange(model.TotalBytes, 900_000_000, 2_000_000_000);
        Assert.InRange(peakBytes, 1, model.TotalBytes / 2);
        model.AssertPruned(target);
        string[] inspected = await KimiProcess.LinesAsync(["inspect", target]);
        Assert.Contains(inspected, line => line.Contains("3 layers: 180 experts, 8 per token and 1 shared", StringComparison.Ordinal));
        await KimiProcess.LinesAsync(["plan", "recover", source, target, "--out", _folder.File("FOUND.json")]);
        string[] same = await KimiProcess.LinesAsync(["plan", "compare", plan, _folder.File("FOUND.json")]);
        Assert.Equal(["Both keep the same experts in all 3 layers."], same);
    }

    // The peak is told by the system as long as the process lives, and it ends soon after it.
    private static async Task<(KimiResult Result, long PeakBytes)> MeasureAsync(Process process)
    {
        string status = $"/proc/{process.Id}/status";
        Task<KimiResult> run = KimiProcess.RunAsync(process);
        long peak = 0;
        while (!run.IsCompleted)
        {
            peak = Math.Max(peak, ReadPeak(status));
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        return (await run, OperatingSystem.IsLinux() ? peak : 1);
    }

    private static long ReadPeak(string path)
    {
        try
        {
            string? line = File.ReadLines(path).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private async Task<string> ObserveAsync(params string[] options)
    {
        string data = _folder.File("data.jsonl");
        await File.WriteAllTextAsync(
            data,
            string.Concat(Enumerable.Range(1, 8).Select(i => $$"""{"text": "What is the weather in Paris? Count to {{i}}."}""" + "\n")),
            TestContext.Current.CancellationToken);
        await KimiProcess.LinesAsync(["observe", "--model", Tiny, "--data", data, "--out", _folder.File("OBS.json"), .. options]);
        return _folder.File("OBS.json");
    }

    private async Task<string> PlanAsync(string model, string ratio)
    {
        string data = _folder.File("ids.jsonl");
        await File.WriteAllTextAsync(data, """{"ids": [1, 20, 3, 14, 5, 9, 2, 6]}""", TestContext.Current.CancellationToken);
        await KimiProcess.LinesAsync(["observe", "--model", model, "--data", data, "--out", _folder.File("IDS.json")]);
        await KimiProcess.LinesAsync(["plan", "--obs", _folder.File("IDS.json"), "--ratio", ratio, "--out", _folder.File("PLAN.json")]);
        return _folder.File("PLAN.json");
    }

    // Many small files: each is brought to the disk before the next, so that there are many moments to be killed at.
    private string Shards()
    {
        string source = _folder.File("shards");
        KimiLinear.Model.ModelPacker.Pack(
            Tiny, source, KimiLinear.Checkpoints.WeightFormat.BFloat16, new KimiLinear.Model.ModelPackOptions { MaxShardBytes = 250_000 });
        return source;
    }

    private static Dictionary<string, string> Hashes(string folder) => Directory.GetFiles(folder).ToDictionary(
        file => Path.GetFileName(file)!, file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));
}
