using Xunit;

namespace ChatSample.Tests;

public sealed class ChatTests
{
    [Fact]
    public async Task Run_PromptThatNeedsATool_AnswersFromItsResult()
    {
        ChatRun run = await ChatProcess.RunAsync("", "--temperature", "0", "What is the weather in Paris?");

        Assert.Equal(["  get_weather(city: \"Paris\")", "  → {\"temperature\":18,\"condition\":\"sunny\"}"], run.Errors);
        Assert.Equal(["The weather in Paris is sunny with 18 degrees."], run.Output);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task Run_TwoLinesFromAPipe_AnswersEach()
    {
        ChatRun run = await ChatProcess.RunAsync(
            "What is the capital of France?\n\nRepeat: mouse frog key\n", "--no-tools", "--temperature=0");

        Assert.Equal(["The capital of France is Paris.", "mouse frog key"], run.Output);
        Assert.Empty(run.Errors);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task Run_CommandsFromAPipe_StayOutOfTheOutput()
    {
        ChatRun run = await ChatProcess.RunAsync("/system You are a helpful assistant.\n/system\n/tools\n/reset\n/exit\nHello\n");

        Assert.Contains("You are a helpful assistant.", run.Errors);
        Assert.Contains(run.Errors, line => line.StartsWith("add ", StringComparison.Ordinal));
        Assert.Empty(run.Output);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task Run_UnknownCommandFromAPipe_FailsThere()
    {
        ChatRun run = await ChatProcess.RunAsync("/frobnicate\nHello\n");

        AssertFailedWith("There is no command /frobnicate.", run);
    }

    [Fact]
    public async Task Run_ModelFolderMissing_SaysWhichFolder()
    {
        ChatRun run = await ChatProcess.RunAsync("", "--model", "no/such/folder", "Hello");

        AssertFailedWith(Path.Combine("no", "such", "folder"), run);
    }

    [Fact]
    public async Task Run_FolderEmpty_SaysWhichFileIsMissing()
    {
        using TemporaryFolder folder = new();

        ChatRun run = await ChatProcess.RunAsync("", "--model", folder.Path, "Hello");

        AssertFailedWith("config.json", run);
    }

    [Theory]
    [InlineData("tiktoken.model")]
    [InlineData("model.safetensors")]
    public async Task Run_FileOfTheModelMissing_SaysWhich(string file)
    {
        using TemporaryFolder folder = TemporaryFolder.CopyOf(ChatProcess.SmallModel);
        File.Delete(Path.Combine(folder.Path, file));

        ChatRun run = await ChatProcess.RunAsync("", "--model", folder.Path, "Hello");

        AssertFailedWith(Path.GetExtension(file), run);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tiktoken.model")]
    [InlineData("model.safetensors")]
    public async Task Run_FileOfTheModelCutShort_SaysWhich(string file)
    {
        using TemporaryFolder folder = TemporaryFolder.CopyOf(ChatProcess.SmallModel);
        using (FileStream stream = File.OpenWrite(Path.Combine(folder.Path, file)))
        {
            stream.SetLength((stream.Length / 2) + 1);
        }

        ChatRun run = await ChatProcess.RunAsync("", "--model", folder.Path, "Hello");

        AssertFailedWith(file, run);
    }

    [Fact]
    public async Task Run_WeightsAreNoNumbers_SaysSo()
    {
        using TemporaryFolder folder = TemporaryFolder.CopyOf(ChatProcess.SmallModel);
        using (FileStream stream = File.OpenWrite(Path.Combine(folder.Path, "model.safetensors")))
        {
            // All bits set are no number in any of the data types.
            byte[] damage = new byte[stream.Length / 2];
            damage.AsSpan().Fill(byte.MaxValue);
            stream.Position = stream.Length - damage.Length;
            stream.Write(damage);
        }

        ChatRun run = await ChatProcess.RunAsync("", "--model", folder.Path, "Hello");

        AssertFailedWith("weights are damaged", run);
    }

    [Theory]
    [InlineData("--frobnicate", "There is no option --frobnicate.")]
    [InlineData("--model", "--model needs a value.")]
    [InlineData("--temperature=hot", "--temperature must be a number of at least 0, but is 'hot'.")]
    [InlineData("--temperature=0,5", "--temperature must be a number of at least 0, but is '0,5'.")]
    [InlineData("--temperature=NaN", "--temperature must be a number of at least 0, but is 'NaN'.")]
    [InlineData("--max-tokens=0", "--max-tokens must be a whole number of at least 1, but is '0'.")]
    [InlineData("--threads=2000", "--threads must be a whole number from 1 to 1024, but is '2000'.")]
    [InlineData("--no-tools=1", "--no-tools takes no value.")]
    [InlineData(" ", "The prompt is empty.")]
    public async Task Run_BadOption_SaysWhatIsWrong(string arg, string message)
    {
        ChatRun run = await ChatProcess.RunAsync("", arg);

        AssertFailedWith(message, run);
    }

    [Fact]
    public async Task Run_Help_ListsTheOptions()
    {
        ChatRun run = await ChatProcess.RunAsync("", "--help");

        Assert.Contains(run.Output, line => line.Contains("--max-tokens N", StringComparison.Ordinal));
        Assert.Empty(run.Errors);
        Assert.Equal(0, run.ExitCode);
    }

    // One line that says what is wrong, and nothing else.
    private static void AssertFailedWith(string message, ChatRun run)
    {
        string line = Assert.Single(run.Errors);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.Contains(message, line, StringComparison.Ordinal);
        Assert.Empty(run.Output);
        Assert.Equal(1, run.ExitCode);
    }
}
