using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>The benchmark: what it writes, and what it refuses.</summary>
public sealed class BenchTests
{
    private static readonly string Tiny = TestFiles.TinyModel;

    public static TheoryData<string, string[]> CommandLines() => new()
    {
        { "in one way: --model or --shape", ["bench"] },
        { "in one way: --model or --shape", ["bench", "--model", Tiny, "--shape", "tiny"] },
        { "--shape must be one of 48b, 35b, tiny, but is 'huge'", ["bench", "--shape", "huge"] },
        { "--format must be one of bf16, q8, q4, q4q8, fp8, but is 'q3'", ["bench", "--shape", "tiny", "--format", "q3"] },
        { "--format says what --shape makes", ["bench", "--model", Tiny, "--format", "bf16"] },
        { "--layers says what --shape makes", ["bench", "--model", Tiny, "--layers", "4"] },
        { "--experts must be a whole number from 1", ["bench", "--shape", "tiny", "--experts", "0"] },
        { "--experts must be at least 4, as many as a token visits", ["bench", "--shape", "tiny", "--experts", "3"] },
        { "--layers must be a whole number from 1", ["bench", "--shape", "tiny", "--layers", "-1"] },
        { "--depth must be whole numbers", ["bench", "--shape", "tiny", "-d", "0,deep"] },
        { "--depth must be whole numbers", ["bench", "--shape", "tiny", "-d", ""] },
        { "--prompt-tokens must be a whole number from 0", ["bench", "--shape", "tiny", "-p", "-5"] },
        { "--repeat must be a whole number from 1", ["bench", "--shape", "tiny", "--repeat", "0"] },
        { "--threads must be", ["bench", "--shape", "tiny", "--threads", "0"] },
        { "nothing to measure", ["bench", "--shape", "tiny", "-p", "0", "-n", "0"] },
        { "a context of 1,048,773 tokens", ["bench", "--shape", "tiny", "-d", "1048576", "-n", "49", "--repeat", "4"] },
        { "of memory. Take fewer layers or experts", ["bench", "--shape", "48b", "--layers", "4096"] },
        { "is no folder and no file", ["bench", "--model", Path.Combine(Tiny, "no-such-folder")] },
        { "is no GGUF file", ["bench", "--model", Path.Combine(Tiny, "config.json")] },
    };

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task Run_WrongArguments_SaysSoInOneLine(string expected, string[] arguments)
    {
        KimiResult result = await KimiProcess.RunAsync(arguments);

        Assert.Contains(expected, result.Error);
        Assert.StartsWith("kimi: ", result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal("", result.Output);
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public async Task Json_RandomShape_HasOneObjectPerRow()
    {
        string[] lines = await KimiProcess.LinesAsync(
            ["bench", "--shape", "tiny", "-p", "20", "-n", "5", "-d", "0,30", "--repeat", "2", "--threads", "1", "--json"]);

        JsonElement[] rows = [.. lines.Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
        Assert.Equal(3, rows.Length);
        Assert.All(rows, row => Assert.Equal("tiny", row.GetProperty("shape").GetString()));
        Assert.All(rows, row => Assert.Equal("bf16", row.GetProperty("format").GetString()));
        Assert.All(rows, row => Assert.Equal(1, row.GetProperty("threads").GetInt32()));
        Assert.Equal([0, 0, 30], rows.Select(row => row.GetProperty("depth").GetInt32()));
        RequirePrefill(rows[0], prompt: 20);
        RequireDecode(rows[1], generated: 5);
        RequireDecode(rows[2], generated: 5);

        // one latent layer of 64 + 16 values, 30 tokens deeper
        Assert.Equal(30 * 80 * 4, Number(rows[2], "bytes_per_token") - Number(rows[1], "bytes_per_token"));
    }

    [Fact]
    public async Task Json_Model_IsMeasuredAsItIsStored()
    {
        string[] lines = await KimiProcess.LinesAsync(
            ["bench", "--model", Tiny, "-p", "0", "-n", "3", "--repeat", "1", "--json"]);

        JsonElement row = JsonSerializer.Deserialize<JsonElement>(Assert.Single(lines));
        Assert.Equal(JsonValueKind.Null, row.GetProperty("shape").ValueKind);
        Assert.Equal("bf16", row.GetProperty("format").GetString());
        Assert.StartsWith("kimi-linear-tiny, 6 layers", row.GetProperty("model").GetString());
        RequireDecode(row, generated: 3);
    }

    [Fact]
    public async Task Json_GgufFile_NamesItsFormatAsPeopleDo()
    {
        string[] lines = await KimiProcess.LinesAsync(
            ["bench", "--model", TestFiles.GoldenGguf("q4_k_m.gguf"), "-p", "0", "-n", "1", "--repeat", "1", "--json"]);

        JsonElement row = JsonSerializer.Deserialize<JsonElement>(Assert.Single(lines));
        Assert.Equal("q4_k", row.GetProperty("format").GetString());
    }

    [Fact]
    public async Task Table_OtherLayersAndExperts_NamesThemTheMachineAndTheTests()
    {
        string text = string.Join('\n', await KimiProcess.LinesAsync(
            ["bench", "--shape", "tiny", "--layers", "1", "--experts", "9", "-p", "7", "-n", "2", "-d", "0,5", "--repeat", "2"]));

        Assert.Contains("tiny, 1 layer", text);
        Assert.Contains($"{Environment.ProcessorCount} processors", text);
        Assert.Contains("bit vectors", text);
        Assert.Matches(@"(?m)^pp7 +[\d,.]+ ± [\d,.]+ ", text);
        Assert.Matches(@"(?m)^tg2 +[\d,.]+ ± [\d,.]+ +[\d,]+ ", text);
        Assert.Matches(@"(?m)^tg2@d5 ", text);
        Assert.DoesNotContain('\u001b', text);
    }

    private static void RequirePrefill(JsonElement row, int prompt)
    {
        Assert.Equal(prompt, row.GetProperty("prompt").GetInt32());
        Assert.InRange(Number(row, "prefill_tokens_per_second"), 1, 1e7);
        Assert.All(
            (string[])
            [
                "decode_tokens_per_second", "bytes_per_token", "read_bandwidth_gb_per_second", "bandwidth_share",
                "managed_bytes_per_token",
            ],
            name => Assert.Equal(JsonValueKind.Null, row.GetProperty(name).ValueKind));
    }

    private static void RequireDecode(JsonElement row, int generated)
    {
        double speed = Number(row, "decode_tokens_per_second");
        double bandwidth = Number(row, "read_bandwidth_gb_per_second");
        Assert.Equal(generated, row.GetProperty("generated").GetInt32());
        Assert.Equal(JsonValueKind.Null, row.GetProperty("prefill_tokens_per_second").ValueKind);
        Assert.InRange(speed, 1, 1e6);
        Assert.InRange(bandwidth, 0.1, 1e4);
        Assert.InRange(Number(row, "bytes_per_token"), 1e6, 1e7);
        Assert.Equal(Number(row, "bytes_per_token") * speed / 1e9 / bandwidth, Number(row, "bandwidth_share"), 1e-6);
        Assert.InRange(Number(row, "managed_bytes_per_token"), 0, 1e6);
    }

    private static double Number(JsonElement row, string name) => row.GetProperty(name).GetDouble();
}
