using System.Diagnostics;
using Xunit;

namespace Kimi.Tests;

/// <summary>Whatever goes wrong is one line on standard error, nothing on standard output, and exit code 1.</summary>
public sealed class ErrorTests
{
    private static readonly string Tiny = TestFiles.TinyModel;

    // Has weights and no tokenizer.
    private static readonly string Plain = TestFiles.GoldenModel("plain");

    private static readonly string Missing = Path.Combine(Tiny, "no-such-folder");

    public static TheoryData<string, string[]> CommandLines() => new()
    {
        { "no command or option 'translate'", ["translate"] },
        { "no command or option '--loud'", ["generate", "--model", Tiny, "--ids", "1", "--loud"] },
        { "no command or option '--bogus'", ["--bogus"] },
        { "'--model' is required", ["tokenize", "text"] },
        { "a MODEL or --devices", ["inspect"] },
        { "a MODEL or --devices", ["inspect", Tiny, "--devices"] },
        { "must be auto, cpu", ["generate", "--model", Tiny, "--ids", "1", "--device", "gpu"] },
        { "Add the package TorchSharp-cpu", ["generate", "--model", Tiny, "--ids", "1", "--device", "torch:cpu"] },
        { "Add the package TorchSharp-cpu", ["bench", "--model", Tiny, "--device", "torch:cpu"] },
        { "is no folder and no file", ["inspect", Missing] },
        { "is no folder and no file", ["tokenize", "--model", Missing, "text"] },
        { "is no folder and no file", ["render", "--model", Missing, "--jsonl"] },
        { "is no folder and no file", ["logits", "--model", Missing, "--ids", "1", "--out", "unused.safetensors"] },
        { "is no folder and no file", ["generate", "--model", Missing, "--ids", "1"] },
        { "is no folder and no file", ["chat", "--model", Missing, "Hello"] },
        { "is no GGUF file", ["inspect", Path.Combine(Tiny, "config.json")] },
        { "tiktoken.model", ["tokenize", "--model", Plain, "text"] },
        { "tiktoken.model", ["generate", "--model", Plain, "--ids", "1"] },
        { "tiktoken.model", ["chat", "--model", Plain, "Hello"] },
        { "outside the vocabulary", ["generate", "--model", Tiny, "--ids", "1,2,99999"] },
        { "outside the vocabulary", ["generate", "--model", Tiny, "--ids=-1"] },
        { "outside the vocabulary", ["logits", "--model", Plain, "--ids", "99999", "--out", "unused.safetensors"] },
        { "must be whole numbers", ["logits", "--model", Plain, "--ids", "1,two", "--out", "unused.safetensors"] },
        { "prompt is empty", ["logits", "--model", Plain, "--ids", "", "--out", "unused.safetensors"] },
        { "prompt is empty", ["generate", "--model", Tiny, "--prompt", ""] },
        { "prompt is empty", ["chat", "--model", Tiny, " "] },
        {
            "cannot be written, because the folder",
            ["logits", "--model", Plain, "--ids", "1", "--out", "no-such-folder/out.safetensors"]
        },
        { "must name a file", ["logits", "--model", Plain, "--ids", "1", "--out", Path.GetTempPath()] },
        { "in one way", ["generate", "--model", Tiny] },
        { "in one way", ["generate", "--model", Tiny, "--ids", "1", "--prompt", "text"] },
        { "cannot be combined", ["generate", "--model", Tiny, "--ids", "1", "--greedy", "--top-k", "3"] },
        { "--max-tokens must be", ["generate", "--model", Tiny, "--ids", "1", "--max-tokens", "0"] },
        { "--max-tokens must be", ["generate", "--model", Tiny, "--ids", "1", "--max-tokens", "many"] },
        { "--temperature must be", ["generate", "--model", Tiny, "--ids", "1", "--temperature", "NaN"] },
        { "--temperature must be", ["generate", "--model", Tiny, "--ids", "1", "--temperature", "0,5"] },
        { "--top-k must be", ["generate", "--model", Tiny, "--ids", "1", "--top-k", "-1"] },
        { "--top-p must be", ["generate", "--model", Tiny, "--ids", "1", "--top-p", "0"] },
        { "--min-p must be", ["chat", "--model", Tiny, "Hello", "--min-p", "1.5"] },
        { "--seed must be", ["generate", "--model", Tiny, "--ids", "1", "--seed", "-1"] },
        { "--threads must be", ["logits", "--model", Plain, "--ids", "1", "--out", "unused.safetensors", "--threads", "0"] },
        { "'--format' is required", ["pack", Tiny, "packed"] },
        { "--format must be one of bf16, q8, q4, q4q8", ["pack", Tiny, "packed", "--format", "q5"] },
        { "is no folder and no file", ["pack", Missing, "packed", "--format", "q4"] },
        { "exists already", ["pack", Tiny, Path.GetTempPath(), "--format", "q4"] },
        { "--format must be one of", ["chat", "--model", Tiny, "Hello", "--format", "int4"] },
        { "--activations must be one of auto, int8, int16, float32", ["chat", "--model", Tiny, "Hello", "--activations", "int4"] },
        { "no text as an argument", ["tokenize", "--model", Tiny, "--jsonl", "text"] },
        { "TARGET must not be empty", ["prune", Tiny, "", "--plan", "unused.json"] },
        { "MODEL must not be empty", ["pack", "", "packed", "--format", "q4"] },
        { "--plan must not be empty", ["prune", Tiny, "pruned", "--plan", ""] },
        { "--out must not be empty", ["eval", "run", "-b", "exact", "-d", "unused.jsonl", "-m", Tiny, "-o", ""] },
        {
            "--served-model must not be empty",
            ["eval", "run", "-b", "exact", "-d", "x", "-o", "y", "--endpoint", "http://a/v1", "--served-model", ""]
        },
        { "--python must not be empty", ["eval", "run", "-b", "mbpp", "-d", "x", "-o", "y", "-m", Tiny, "--python", ""] },
        { "--prefix-folder must not be empty", ["serve", Tiny, "--port", "0", "--prefix-folder", ""] },
    };

    public static TheoryData<string, string, string[]> Inputs() => new()
    {
        { "{", "Line 1 is not valid JSON", ["tokenize", "--model", Tiny, "--jsonl"] },
        { "\n", "Line 1 is empty", ["tokenize", "--model", Tiny, "--jsonl"] },
        { "3", "Line 1 must be a JSON string", ["tokenize", "--model", Tiny, "--jsonl"] },
        { "\"\\ud800\"", "Line 1 holds half of a surrogate pair", ["tokenize", "--model", Tiny, "--jsonl"] },
        { "{} {}", "Line 1 is not valid JSON", ["render", "--model", Tiny, "--jsonl"] },
        { "{}", "Line 1 is not a conversation: messages", ["render", "--model", Tiny, "--jsonl"] },
        { "{\"messages\":[{\"role\":\"user\",\"content\":3}]}", "messages[0].content", ["render", "--model", Tiny, "--jsonl"] },
        { "", "is empty", ["render", "--model", Tiny] },
        { "{\"ids\":[1]}", "Line 1 must be a JSON array", ["generate", "--model", Tiny, "--jsonl"] },
        { "[1,2.5]", "its item 1 is 2.5", ["generate", "--model", Tiny, "--jsonl"] },
        { "[]", "Line 1: The prompt is empty", ["generate", "--model", Tiny, "--jsonl"] },
        { "[1,1536]", "Line 1: The token id 1536", ["generate", "--model", Tiny, "--jsonl"] },
        { "1,x", "must be whole numbers", ["generate", "--model", Tiny, "--ids", "-"] },
    };

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task Run_WrongArguments_SaysSoInOneLine(string expected, string[] arguments) =>
        RequireError(await KimiProcess.RunAsync(arguments), expected);

    [Theory]
    [MemberData(nameof(Inputs))]
    public async Task Run_WrongInput_SaysSoInOneLine(string input, string expected, string[] arguments) =>
        RequireError(await KimiProcess.RunAsync(arguments, input), expected);

    [Fact]
    public async Task Run_ErrorThatCannotBeWritten_StillExitsWithOne()
    {
        KimiResult result = await RunWithAsync("2>/dev/full", "translate");

        Assert.Equal((1, "", ""), (result.ExitCode, result.Output, result.Error));
    }

    [Fact]
    public async Task Run_ErrorThatIsTooLargeForItsFile_StillExitsWithOne()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit is set by a shell of Linux.");
        using TemporaryFolder folder = new();

        KimiResult result = await RunInShellAsync(
            $"export DOTNET_EnableWriteXorExecute=0; trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\" 2>'{folder.File("error")}'",
            "translate");

        Assert.Equal((1, "", ""), (result.ExitCode, result.Output, result.Error));
    }

    // The runtime opens something of its own under the number of a closed stream, which never ends and which nobody may touch.
    [Theory]
    [InlineData("generate", "--ids", "-")]
    [InlineData("generate", "--jsonl")]
    [InlineData("tokenize", "--jsonl")]
    [InlineData("render")]
    [InlineData("chat")]
    public async Task Run_ClosedInput_SaysSoInOneLine(params string[] arguments) =>
        RequireError(await RunWithAsync("<&-", [.. arguments, "--model", Tiny]), "Standard input is closed");

    [Theory]
    [InlineData(">&-")]
    [InlineData("<&- >&-")]
    public async Task Run_ClosedOutput_SaysSoInOneLine(string closing) =>
        RequireError(
            await RunWithAsync(closing, "generate", "--model", Tiny, "--ids", "1", "--max-tokens", "3"),
            "Standard output is closed");

    [Fact]
    public async Task Run_ClosedOutputThatIsNotNeeded_Succeeds()
    {
        using TemporaryFolder folder = new();

        KimiResult result = await RunWithAsync(
            "<&- >&- 2>&-", "logits", "--model", Tiny, "--ids", "1,2", "--out", folder.File("logits.safetensors"));

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(3072, Safetensors.Read<float>(folder.File("logits.safetensors"), "logits", out _, out long[] shape).Length);
        Assert.Equal([2, 1536], shape);
    }

    [Fact]
    public async Task Run_WrongThirdLine_NamesItAfterTheResultsBefore()
    {
        KimiResult result = await KimiProcess.RunAsync(["tokenize", "--model", Tiny, "--jsonl"], "\"a\"\r\n\"b\"\n{bad\n");

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("[97]\n[98]\n", result.Output);
        Assert.StartsWith("kimi: Line 3 ", result.Error);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("generate", "--ids", "1", "--model")]
    [InlineData("tokenize", "text", "--model")]
    [InlineData("render", "--model")]
    public async Task Run_EmptyFolder_SaysSoInOneLine(params string[] arguments)
    {
        using TemporaryFolder folder = new();

        RequireError(await KimiProcess.RunAsync([.. arguments, folder.Path]), folder.Path);
    }

    [Theory]
    [InlineData("config.json", "inspect")]
    [InlineData("model.safetensors", "inspect")]
    [InlineData("tiktoken.model", "inspect")]
    [InlineData("config.json", "generate", "--ids", "1", "--model")]
    [InlineData("generation_config.json", "generate", "--ids", "1", "--model")]
    [InlineData("model.safetensors", "generate", "--ids", "1", "--model")]
    [InlineData("tokenizer_config.json", "tokenize", "text", "--model")]
    public async Task Run_DamagedFile_SaysSoInOneLine(string damaged, params string[] arguments)
    {
        using TemporaryFolder folder = new();
        folder.CopyFrom(
            Tiny, "config.json", "generation_config.json", "model.safetensors", "tiktoken.model", "tokenizer_config.json");
        await File.WriteAllTextAsync(folder.File(damaged), "!damaged\n");

        RequireError(await KimiProcess.RunAsync([.. arguments, folder.Path]), damaged);
    }

    [Fact]
    public async Task Run_WeightsOfAnotherModel_SaysSoInOneLine()
    {
        using TemporaryFolder folder = new();
        folder.CopyFrom(Tiny, "config.json");
        folder.CopyFrom(Plain, "model.safetensors");

        RequireError(await KimiProcess.RunAsync(["inspect", folder.Path]), "do not fit");
    }

    [Fact]
    public async Task Run_ReaderLeaves_EndsWithoutAComplaint()
    {
        using Process process = KimiProcess.Start("tokenize", "--model", Tiny, "--jsonl");
        await process.StandardInput.WriteAsync("\"a\"\n");
        await process.StandardInput.FlushAsync();
        Assert.Equal("[97]", await process.StandardOutput.ReadLineAsync());
        process.StandardOutput.Close();

        await process.StandardInput.WriteAsync("\"b\"\n");
        await process.StandardInput.FlushAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        // Standard input is still open: it ended because nobody reads.
        Assert.Equal("", error);
        Assert.Equal(0, process.ExitCode);
    }

    // Lets a shell redirect or close the tool's streams.
    private static Task<KimiResult> RunWithAsync(string redirection, params string[] arguments) =>
        RunInShellAsync($"exec \"$0\" \"$@\" {redirection}", arguments);

    private static Task<KimiResult> RunInShellAsync(string script, params string[] arguments)
    {
        ProcessStartInfo kimi = KimiProcess.StartInfo(arguments);
        return KimiProcess.RunAsync(Process.Start(
            new ProcessStartInfo("/bin/sh", ["-c", script, kimi.FileName, .. kimi.ArgumentList])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!);
    }

    private static void RequireError(KimiResult result, string expected)
    {
        Assert.Equal("", result.Output);
        Assert.StartsWith("kimi: ", result.Error);
        Assert.Contains(expected, result.Error);
        Assert.Equal(result.Error.Length - 1, result.Error.IndexOf('\n', StringComparison.Ordinal));
        Assert.Equal(1, result.ExitCode);
    }
}
