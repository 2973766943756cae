using System.Text.Json;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace Kimi.Tests;

/// <summary>Every command takes a GGUF file where it takes a folder.</summary>
public sealed class GgufTests : IDisposable
{
    private const string Conversation = """{"messages":[{"role":"user","content":"Hi"}]}""";

    private static readonly string Small = TestFiles.GoldenGguf("q4_k_m.gguf");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Inspect_Json_NamesTheFormats()
    {
        JsonElement json = JsonSerializer.Deserialize<JsonElement>(
            string.Concat(await KimiProcess.LinesAsync(["inspect", Small, "--json"])));

        Assert.Equal("q4_k_m", json.GetProperty("name").GetString());
        Assert.Equal(
            ["float32", "q4_k", "q5_0", "q6_k"],
            json.GetProperty("weights").GetProperty("data_types").EnumerateArray()
                .Select(type => type.GetProperty("data_type").GetString()).Order());
        Assert.Equal(256, json.GetProperty("tokenizer").GetProperty("vocabulary_size").GetInt32());
    }

    [Fact]
    public async Task Inspect_Text_ShowsTheFormats()
    {
        string text = string.Join('\n', await KimiProcess.LinesAsync(["inspect", Small]));

        Assert.Contains("Q4_K_M", text);
        Assert.Contains("q5_0", text);
        Assert.Matches("special tokens +none", text);
    }

    [Fact]
    public async Task Tokenize_Text_UsesTheFilesTokenizer() =>
        Assert.Equal(
            ["id  piece", "72  \"H\"", "33  \"!\""], await KimiProcess.LinesAsync(["tokenize", "--model", Small, "H!"]));

    [Theory]
    [InlineData("float32", 0, 1e-5)]
    [InlineData("int16", 1e-5, 1e-3)]
    [InlineData("auto", 1e-5, 1e-3)]
    public async Task Logits_GoldenInput_AreAsNearTheGoldenOnesAsActivationsSay(string activations, double least, double most)
    {
        string expectedPath = TestFiles.GoldenGguf("q8_0.expected.safetensors");
        int[] ids = Safetensors.Read<int>(expectedPath, "input_ids", out _, out _);
        float[] expected = Safetensors.Read<float>(expectedPath, "logits", out _, out _);
        string path = _folder.File("logits.safetensors");

        await KimiProcess.LinesAsync(
            [
                "logits", "--model", TestFiles.GoldenGguf("q8_0.gguf"), "--ids", string.Join(',', ids), "--out", path,
                "--activations", activations,
            ]);

        float[] logits = Safetensors.Read<float>(path, "logits", out _, out long[] shape);
        double difference = logits.Zip(expected).Sum(pair => Math.Pow(pair.First - pair.Second, 2));
        Assert.Equal([ids.Length, 256], shape);
        Assert.InRange(Math.Sqrt(difference / expected.Sum(value => Math.Pow(value, 2))), least, most);
    }

    [Fact]
    public async Task Commands_TrainedModelAsGguf_WriteTheSameAsForTheFolder()
    {
        string path = TinyGguf.Write(_folder.File("tiny.gguf"));

        Assert.Equal(await RunAsync(TinyGguf.Folder), await RunAsync(path));

        async Task<string[]> RunAsync(string model) =>
        [
            .. await KimiProcess.LinesAsync(["chat", "--model", model, "--greedy", "--max-tokens", "60", "Hello!"]),
            .. await KimiProcess.LinesAsync(["generate", "--model", model, "--greedy", "--prompt", "The", "--max-tokens", "20"]),
            .. await KimiProcess.LinesAsync(["tokenize", "--model", model, "--special", "<|im_user|>Grüße<|im_end|>"]),
            .. await KimiProcess.LinesAsync(["render", "--model", model], Conversation),
        ];
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("tokenize", "text", "--model")]
    [InlineData("render", "--model")]
    [InlineData("chat", "Hello", "--model")]
    public async Task Run_DamagedFile_SaysSoInOneLine(params string[] arguments)
    {
        string path = _folder.File("cut.gguf");
        await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(Small))[..5000], CancellationToken.None);

        KimiResult result = await KimiProcess.RunAsync([.. arguments, path]);

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.StartsWith("kimi: ", result.Error);
        Assert.Contains("cut off", result.Error);
        Assert.Equal(result.Error.Length - 1, result.Error.IndexOf('\n', StringComparison.Ordinal));
    }
}
