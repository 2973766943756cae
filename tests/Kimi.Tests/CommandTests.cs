using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Kimi.Tests;

/// <summary>What the commands write when all is well.</summary>
public sealed class CommandTests
{
    private static readonly string Tiny = TestFiles.TinyModel;

    [Fact]
    public async Task Inspect_Json_HoldsTheFacts()
    {
        JsonElement json = JsonSerializer.Deserialize<JsonElement>(
            string.Concat(await KimiProcess.LinesAsync(["inspect", Tiny, "--json"])));

        Assert.Equal("kimi-linear-tiny", json.GetProperty("name").GetString());
        Assert.Equal(6, json.GetProperty("layers").GetArrayLength());
        Assert.Equal("latent", json.GetProperty("layers")[3].GetProperty("attention").GetString());
        Assert.Equal("dense", json.GetProperty("layers")[0].GetProperty("feed_forward").GetString());
        Assert.Equal(3_623_020, json.GetProperty("parameters").GetProperty("total").GetInt64());
        Assert.Equal(7_300_056, json.GetProperty("weights").GetProperty("file_bytes").GetInt64());
        Assert.Equal(1536, json.GetProperty("tokenizer").GetProperty("vocabulary_size").GetInt32());
    }

    [Fact]
    public async Task Inspect_ConfigAlone_SaysThatThereAreNoWeights()
    {
        using TemporaryFolder folder = new();
        folder.CopyFrom(Tiny, "config.json");

        string text = string.Join('\n', await KimiProcess.LinesAsync(["inspect", folder.Path]));

        Assert.Contains("no weights", text);
        Assert.Contains("3,623,020", text);
        Assert.DoesNotContain('\u001b', text);
    }

    [Fact]
    public async Task Tokenize_Text_ShowsPieces()
    {
        string[] lines = await KimiProcess.LinesAsync(["tokenize", "--model", Tiny, "Hello ö"]);

        Assert.Equal(["id   piece", "808  \"Hello\"", "32   \" \"", "195  bytes C3", "182  bytes B6"], lines);
    }

    [Fact]
    public async Task Tokenize_TextOnStandardInput_IsTheSameAsTheArgument()
    {
        string[] argument = await KimiProcess.LinesAsync(["tokenize", "--model", Tiny, "one\ntwo"]);
        string[] input = await KimiProcess.LinesAsync(["tokenize", "--model", Tiny], "one\ntwo");

        Assert.Equal(argument, input);
    }

    [Fact]
    public async Task Tokenize_LineByLine_AnswersBeforeTheNextLine()
    {
        using Process process = KimiProcess.Start("tokenize", "--model", Tiny, "--jsonl");

        await process.StandardInput.WriteAsync("\"a\"\n");
        await process.StandardInput.FlushAsync();
        string? first = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30));
        await process.StandardInput.WriteAsync("\"b\"\n");
        process.StandardInput.Close();

        Assert.Equal("[97]", first);
        Assert.Equal("[98]\n", await process.StandardOutput.ReadToEndAsync());
    }

    [Fact]
    public async Task Tokenize_LongLine_IsReadWhole()
    {
        string text = new('a', 300_000);

        string[] lines = await KimiProcess.LinesAsync(["tokenize", "--model", Tiny, "--jsonl"], $"\uFEFF\"{text}\"\n\"{text}\"");

        Assert.Equal(2, lines.Length);
        Assert.Equal(lines[0], lines[1]);
        Assert.InRange(lines[0].Length, 300_000 / 10, int.MaxValue);
    }

    [Fact]
    public async Task Render_OneConversation_WritesThePromptItself()
    {
        KimiResult result = await KimiProcess.RunAsync(
            ["render", "--model", Tiny], "{\n\"messages\": [{\"role\": \"user\", \"content\": \"Grüße\"}]\n}\n");

        Assert.Equal("<|im_user|>user<|im_middle|>Grüße<|im_end|><|im_assistant|>assistant<|im_middle|>", result.Output);
    }

    [Fact]
    public async Task Logits_LongPrompt_DoesNotDependOnThePieces()
    {
        using TemporaryFolder folder = new();
        int[] ids = [.. Enumerable.Range(0, 150).Select(index => index * 7 % 1536)];
        string longPath = folder.File("long.safetensors");
        string shortPath = folder.File("short.safetensors");

        await KimiProcess.LinesAsync(["logits", "--model", Tiny, "--ids", string.Join(',', ids), "--out", longPath]);
        await KimiProcess.LinesAsync(["logits", "--model", Tiny, "--ids", "-", "--out", shortPath], string.Join(' ', ids[..20]));

        float[] longLogits = Safetensors.Read<float>(longPath, "logits", out _, out long[] shape);
        float[] shortLogits = Safetensors.Read<float>(shortPath, "logits", out _, out _);
        Assert.Equal([150, 1536], shape);
        Assert.All(longLogits, value => Assert.True(float.IsFinite(value)));
        Assert.True(shortLogits.Zip(longLogits).All(pair => Math.Abs(pair.First - pair.Second) < 1e-3));
    }

    [Fact]
    public async Task Generate_SameSeed_GivesTheSameText()
    {
        string[] arguments =
        [
            "generate", "--model", Tiny, "--prompt", "The", "--temperature", "1.5", "--seed", "7", "--max-tokens", "20",
        ];

        Assert.Equal(await KimiProcess.LinesAsync(arguments), await KimiProcess.LinesAsync([.. arguments, "--threads", "1"]));
    }

    [Fact]
    public async Task Pack_TinyModel_GeneratesAsConvertedWhileLoading()
    {
        using TemporaryFolder folder = new();
        string target = folder.File("packed");

        string line = Assert.Single(await KimiProcess.LinesAsync(["pack", Tiny, target, "--format", "q4q8"]));

        Assert.StartsWith($"{target}: 2.95 MB of weights, 6.40 bits each", line);
        string[] arguments = ["--ids", "1,2,3", "--greedy", "--json", "--max-tokens", "20"];
        Assert.Equal(
            await KimiProcess.LinesAsync(["generate", "--model", Tiny, "--format", "q4q8", .. arguments]),
            await KimiProcess.LinesAsync(["generate", "--model", target, .. arguments]));
        JsonElement json = JsonSerializer.Deserialize<JsonElement>(
            string.Concat(await KimiProcess.LinesAsync(["inspect", target, "--json"])));
        Assert.Equal("packedq4", json.GetProperty("weights").GetProperty("data_types")[0].GetProperty("data_type").GetString());
        Assert.InRange(json.GetProperty("weights").GetProperty("bits_per_weight").GetDouble(), 6, 7);
    }

    [Fact]
    public async Task Chat_LinesOnStandardInput_AnswersEach()
    {
        string[] lines = await KimiProcess.LinesAsync(
            ["chat", "--model", Tiny, "--greedy", "--max-tokens", "60"], "Hello!\n\n/reset\nHello!\n/exit\nNever read\n");

        Assert.Equal(2, lines.Length);
        Assert.Equal(lines[0], lines[1]);
        Assert.NotEqual("", lines[0]);
    }

    [Fact]
    public async Task Chat_Argument_AnswersOnce()
    {
        string[] line = await KimiProcess.LinesAsync(["chat", "--model", Tiny, "--greedy", "--max-tokens", "60", "Hello!"]);

        Assert.NotEqual("", Assert.Single(line));
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("tokenize")]
    [InlineData("render")]
    [InlineData("logits")]
    [InlineData("generate")]
    [InlineData("chat")]
    [InlineData("observe")]
    [InlineData("plan")]
    [InlineData("prune")]
    [InlineData("merge")]
    [InlineData("serve")]
    [InlineData("bench")]
    public async Task Help_Command_ShowsExamples(string command)
    {
        string text = string.Join('\n', await KimiProcess.LinesAsync([command, "--help"]));

        Assert.Contains("Examples:", text);
        Assert.Contains($"kimi {command} ", text);
    }

    [Fact]
    public async Task Version_Asked_IsPrintedAlone() =>
        Assert.Matches(@"^\d+\.\d+\.\d+", Assert.Single(await KimiProcess.LinesAsync(["--version"])));

    [Fact]
    public async Task Interrupt_WhileWaitingForInput_EndsWithOneLine()
    {
        using Process process = KimiProcess.Start("tokenize", "--model", Tiny, "--jsonl");
        await process.StandardInput.WriteAsync("\"a\"\n");
        await process.StandardInput.FlushAsync();
        Assert.Equal("[97]", await process.StandardOutput.ReadLineAsync());

        using Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        // A process whose parent ignores interrupts, as a shell's background job does, ignores them too.
        string error = await process.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
        await process.WaitForExitAsync();

        Assert.Equal("kimi: interrupted.\n", error);
        Assert.Equal(130, process.ExitCode);
    }
}
