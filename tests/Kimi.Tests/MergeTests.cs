using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>Merging experts from the command line.</summary>
public sealed class MergeTests : IDisposable
{
    private static readonly string Tiny = TestFiles.TinyModel;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("hc-smoe")]
    [InlineData("m-smoe")]
    public async Task Merge_SmallModel_WritesAModelThatRuns(string method)
    {
        string target = _folder.File("merged");

        string[] lines = await KimiProcess.LinesAsync(["merge", Tiny, target, "--data", Data(), "--ratio", "0.3", "--method", method]);

        Assert.StartsWith(
            $"{target}: 70 groups of the 100 experts in 5 layers (method: {method}). ", Assert.Single(lines), StringComparison.Ordinal);
        JsonElement facts = JsonSerializer.Deserialize<JsonElement>(
            string.Concat(await KimiProcess.LinesAsync(["inspect", target, "--json"])));
        Assert.Equal(3_623_020, facts.GetProperty("parameters").GetProperty("total").GetInt64());
        Assert.NotEmpty(await KimiProcess.LinesAsync(["generate", "--model", target, "--max-tokens", "5", "--prompt", "Hello"]));
        Assert.NotEqual(Weights(Tiny), Weights(target));
    }

    /// <summary>Both ways to name the data, and the defaults written out, give the same bytes; another similarity gives others.</summary>
    [Fact]
    public async Task Merge_Options_DecideWhatIsMerged()
    {
        string data = Data();
        string[] common = ["--ratio", "0.5", "--seed", "42"];

        await KimiProcess.LinesAsync(["merge", Tiny, _folder.File("a"), "--data", data, .. common, "--step-tokens", "7"]);
        await KimiProcess.LinesAsync(
            [
                "merge", Tiny, _folder.File("b"), "--data-spec", "data:6", "--data-folder", _folder.Path, "--ratio", "0.5",
                "--method", "hc-smoe", "--similarity", "mean-output", "--distance", "euclidean", "--step-tokens", "7",
            ]);
        await KimiProcess.LinesAsync(["merge", Tiny, _folder.File("c"), "--data", data, .. common, "--similarity", "router-logits"]);

        Assert.Equal(Weights(_folder.File("a")), Weights(_folder.File("b")));
        Assert.NotEqual(Weights(_folder.File("a")), Weights(_folder.File("c")));
    }

    [Theory]
    [InlineData("'--data' (or '--data-spec') is required. See 'kimi merge --help'.", "MODEL", "TARGET", "--ratio", "0.3")]
    [InlineData("'--ratio' is required. See 'kimi merge --help'.", "MODEL", "TARGET", "--data", "DATA")]
    [InlineData("--ratio must be a number between 0 and 1, but is '1'", "MODEL", "TARGET", "--data", "DATA", "--ratio", "1")]
    [InlineData("must be below 1 and at least one of 20, but is 0.01", "MODEL", "TARGET", "--data", "DATA", "--ratio", "0.01")]
    [InlineData("--method must be one of hc-smoe, m-smoe, but is 'mean'", "MODEL", "TARGET", "--data", "DATA", "--ratio", "0.3", "--method", "mean")]
    [InlineData("--similarity must be one of mean-output, token-outputs, router-logits", "MODEL", "TARGET", "--ratio", "0.3", "--similarity", "x")]
    [InlineData("--distance must be one of euclidean, cosine, angular", "MODEL", "TARGET", "--ratio", "0.3", "--distance", "x")]
    [InlineData("exists already", "MODEL", "FOLDER", "--data", "DATA", "--ratio", "0.3")]
    [InlineData("is a GGUF file, but merging reads and writes safetensors", "GGUF", "TARGET", "--data", "IDS", "--ratio", "0.3")]
    [InlineData("See 'kimi merge --help'.", "MODEL", "--data", "DATA", "--ratio", "0.3")]
    [InlineData("wrong.jsonl', line 2: its token 1 is 99999, but the model's ids go from 0 to 1535", "MODEL", "TARGET", "--data", "WRONG", "--ratio", "0.3")]
    [InlineData("'/proc/merged' cannot be written: ", "MODEL", "/proc/merged", "--data", "no-such-file", "--ratio", "0.3")]
    public async Task Merge_Mistake_IsOneLineAndLeavesNothing(string complaint, params string[] arguments)
    {
        string data = Data();
        string ids = _folder.File("ids.jsonl");
        await File.WriteAllTextAsync(ids, """{"ids": [1, 2, 3]}""", TestContext.Current.CancellationToken);
        string wrong = _folder.File("wrong.jsonl");
        await File.WriteAllLinesAsync(
            wrong, ["""{"ids": [1, 2, 3]}""", """{"ids": [1, 99999]}"""], TestContext.Current.CancellationToken);
        string[] before = [.. Directory.GetFileSystemEntries(_folder.Path).Order()];
        string[] given = [.. arguments.Select(argument => argument switch
        {
            "MODEL" => Tiny,
            "GGUF" => TestFiles.GoldenGguf("bf16.gguf"),
            "TARGET" => _folder.File("merged"),
            "FOLDER" => _folder.Path,
            "DATA" => data,
            "IDS" => ids,
            "WRONG" => wrong,
            _ => argument,
        })];

        KimiResult result = await KimiProcess.RunAsync(["merge", .. given]);

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(complaint, Assert.Single(result.Error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder.Path).Order());
    }

    [Fact]
    public async Task Merge_NoRoomToBegin_LeavesNothing()
    {
        string data = Data();

        KimiResult result = await KimiProcess.RunAsync(
            KimiProcess.StartWithFileLimit(0, "merge", Tiny, _folder.File("merged"), "--data", data, "--ratio", "0.3"));

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Contains("file length was too large", result.Error, StringComparison.Ordinal);
        Assert.Equal([data], Directory.GetFileSystemEntries(_folder.Path));
    }

    private static byte[] Weights(string model) => File.ReadAllBytes(Path.Combine(model, "model.safetensors"));

    private string Data()
    {
        string path = _folder.File("data.jsonl");
        File.WriteAllLines(
            path, Enumerable.Range(1, 6).Select(i => $$"""{"text": "What is the weather in Paris? Count to {{i}}."}"""));
        return path;
    }
}
