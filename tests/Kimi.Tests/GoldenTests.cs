using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>The tool against what other implementations computed.</summary>
public sealed class GoldenTests
{
    private const double Tolerance = 2e-4;

    // Each takes part of a second; the library's own tests cover the rest of the file.
    private const int GreedyCount = 20;

    [Theory]
    [InlineData("ids_plain")]
    [InlineData("ids_with_special", "--special")]
    public async Task Tokenize_GoldenTexts_GivesGoldenIds(string expected, params string[] options)
    {
        JsonElement[] cases = TestFiles.GoldenLines("tokenizer.jsonl");

        string[] lines = await KimiProcess.LinesAsync(
            ["tokenize", "--model", TestFiles.TinyModel, "--jsonl", .. options],
            TestFiles.JsonLines(cases.Select(item => item.GetProperty("text"))));

        Assert.Equal(cases.Select(item => $"[{string.Join(',', TestFiles.Ids(item.GetProperty(expected)))}]"), lines);
    }

    [Fact]
    public async Task Render_GoldenConversations_GivesGoldenPrompts()
    {
        JsonElement[] cases = TestFiles.GoldenLines("chat_template.jsonl");

        string[] lines = await KimiProcess.LinesAsync(
            ["render", "--model", TestFiles.TinyModel, "--jsonl"], TestFiles.JsonLines(cases));

        Assert.Equal(cases.Select(item => item.GetProperty("rendered").GetString()), lines.Select(ReadString));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("sharded-f16")]
    [InlineData("grouped")]
    [InlineData("no-shared")]
    [InlineData("strong-decay")]
    [InlineData("head128")]
    public async Task Logits_GoldenModel_MatchesGolden(string modelName)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("out.safetensors");
        string golden = Path.Combine(TestFiles.GoldenModel(modelName), "expected.safetensors");
        int[] ids = Safetensors.Read<int>(golden, "input_ids", out _, out _);
        float[] expected = Safetensors.Read<float>(golden, "logits", out _, out long[] expectedShape);

        string[] lines = await KimiProcess.LinesAsync(
            [
                "logits", "--model", TestFiles.GoldenModel(modelName), "--ids", string.Join(',', ids), "--out", path,
                "--threads", "2",
            ]);

        float[] actual = Safetensors.Read<float>(path, "logits", out string dataType, out long[] shape);
        Assert.Empty(lines);
        Assert.Equal("F32", dataType);
        Assert.Equal([ids.Length, expectedShape[^1]], shape);
        Assert.True(RelativeRms(actual, expected) <= Tolerance, $"The relative RMS error is {RelativeRms(actual, expected):E2}.");
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task Generate_GoldenPrompts_GivesGoldenReplies()
    {
        JsonElement[] cases = TestFiles.GoldenLines("tiny/greedy.jsonl")[..GreedyCount];

        string[] lines = await KimiProcess.LinesAsync(
            ["generate", "--model", TestFiles.TinyModel, "--jsonl", "--greedy", "--max-tokens", "300"],
            TestFiles.JsonLines(cases.Select(item => item.GetProperty("prompt_ids"))));

        Assert.Equal(GreedyCount, lines.Length);
        foreach ((JsonElement item, string line) in cases.Zip(lines))
        {
            JsonElement reply = JsonSerializer.Deserialize<JsonElement>(line);
            Assert.Equal(TestFiles.Ids(item.GetProperty("reply_ids")), TestFiles.Ids(reply.GetProperty("ids")));
            Assert.Equal(item.GetProperty("reply_text").GetString(), reply.GetProperty("text").GetString());
        }
    }

    [Fact]
    public async Task Generate_OnePrompt_GivesTheSameAsLinesDo()
    {
        JsonElement item = TestFiles.GoldenLines("tiny/greedy.jsonl")[0];
        string ids = string.Join(',', TestFiles.Ids(item.GetProperty("prompt_ids")));

        string[] json = await KimiProcess.LinesAsync(
            ["generate", "--model", TestFiles.TinyModel, "--ids", ids, "--greedy", "--json"]);
        string[] text = await KimiProcess.LinesAsync(["generate", "--model", TestFiles.TinyModel, "--ids", ids, "--greedy"]);

        JsonElement reply = JsonSerializer.Deserialize<JsonElement>(Assert.Single(json));
        Assert.Equal(TestFiles.Ids(item.GetProperty("reply_ids")), TestFiles.Ids(reply.GetProperty("ids")));
        Assert.Equal(item.GetProperty("reply_text").GetString(), Assert.Single(text));
    }

    private static string ReadString(string json) => JsonSerializer.Deserialize<string>(json)!;

    private static double RelativeRms(float[] actual, float[] expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = actual.Zip(expected, (left, right) => Math.Pow((double)left - right, 2)).Sum();
        return Math.Sqrt(difference / expected.Sum(value => Math.Pow(value, 2)));
    }
}
