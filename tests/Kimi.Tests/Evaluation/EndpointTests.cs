using System.Text.Json;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Servers that answer, but not as OpenAI's interface has it.</summary>
public sealed class EndpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public EndpointTests() => File.WriteAllLines(_folder.File("data.jsonl"), Enumerable.Range(0, 4).Select(i =>
        JsonSerializer.Serialize(new { messages = new[] { new { role = "user", content = $"Item <{i}>" } }, answer = "yes" })));

    private string Items => Path.Combine(_folder.File("run"), "items.jsonl");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("<html>\n<body>Welcome!</body></html>", "status 200 and '<html> <body>Welcome!</body></html>', which is no list of models")]
    [InlineData("", "answered with status 200 and an empty body, which is no list of models")]
    [InlineData("null", "and 'null', which is no list of models")]
    [InlineData("[1]", "and '[1]', which is no list of models")]
    [InlineData("{\"models\":[]}", "and '{\"models\":[]}', which is no list of models")]
    [InlineData("{\"data\":null}", "and '{\"data\":null}', which is no list of models")]
    [InlineData("{\"data\":[7]}", "and '{\"data\":[7]}', which is no list of models")]
    [InlineData("{\"data\":[{\"id\":\"\"}]}", "and '{\"data\":[{\"id\":\"\"}]}', which is no list of models")]
    [InlineData("{\"data\":[{\"id\":\"m\",\"created\":\"now\"}]}", "does not say which models it serves: ")]
    [InlineData("{\"data\":[", "and '{\"data\":[', which is no list of models")]
    [InlineData("\u001b[2J", "and '\u241b[2J', which is no list of models")]
    [InlineData("{\"data\":[]}", "serves no model. Load one there, or name it with --served-model.")]
    [InlineData("{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "serves 2 models: a, b. Say which one with --served-model.")]
    public async Task Run_ModelsAreNotListed_SaysWhatCameInOneLine(string models, string expected)
    {
        await using FakeEndpoint server = await FakeEndpoint.StartAsync(models, _ => "");

        KimiResult result = await RunAsync(server);

        RequireError(result, expected);
        Assert.Contains(server.Address, result.Error);
        Assert.Contains("--served-model", result.Error);
        Assert.False(Path.Exists(_folder.File("run")));
    }

    [Theory]
    [InlineData("<html>", "and '<html>', which is no chat completion of OpenAI's interface")]
    [InlineData("", "and an empty body, which is no chat completion")]
    [InlineData("{\"error\":{\"message\":\"busy\"}}", "and '{\"error\":{\"message\":\"busy\"}}', which is no chat completion")]
    [InlineData("{\"choices\":[]}", "and '{\"choices\":[]}', which is no chat completion")]
    [InlineData("{\"choices\":[{\"message\":null}]}", "and '{\"choices\":[{\"message\":null}]}', which is no chat completion")]
    [InlineData("{\"choices\":[{\"message\":{\"role\":\"bot\",\"content\":\"\"}}]}", "")]
    [InlineData("{\"choices\":[{\"finish_reason\":null,\"message\":{\"role\":\"assistant\",\"content\":\"\"}}]}", "")]
    public async Task Run_ReplyIsNone_SaysWhatCameAndGoesOnBehindWhatIsJudged(string reply, string expected)
    {
        int asked = 0;
        await using FakeEndpoint server = await FakeEndpoint.StartAsync(
            FakeEndpoint.OneModel, _ => Interlocked.Increment(ref asked) == 3 ? reply : FakeEndpoint.Reply("yes"));

        KimiResult first = await RunAsync(server);
        int kept = File.ReadAllLines(Items).Length;
        KimiResult second = await RunAsync(server);

        RequireError(first, expected);
        Assert.StartsWith("kimi: The model did not answer item '2': ", first.Error);
        Assert.EndsWith(" What is judged so far is kept; the same command continues.\n", first.Error);
        Assert.Equal(2, kept);
        Assert.Equal((0, ""), (second.ExitCode, second.Error));
        Assert.Equal(4, File.ReadAllLines(Items).Length);
        Assert.Equal(5, asked);
    }

    [Fact]
    public async Task Run_JudgeAnswersWithSomethingElse_SaysSo()
    {
        await using FakeEndpoint model = await FakeEndpoint.StartAsync(
            FakeEndpoint.OneModel, _ => FakeEndpoint.Reply("Therefore, the answer is (Paris)"));
        await using FakeEndpoint judge = await FakeEndpoint.StartAsync(FakeEndpoint.OneModel, _ => "<html>");
        File.WriteAllText(
            _folder.File("data.jsonl"),
            """{"Prompt":"Which city?","Answer":"Rome","wiki_items":[{"title":"City","text":"A city is large."}]}""");

        KimiResult result = await KimiProcess.RunAsync(
            [
                "eval", "run", "-b", "frames", "-d", _folder.File("data.jsonl"), "-o", _folder.File("run"), "--endpoint", model.Address,
                "--judge-endpoint", judge.Address, "--tokenizer", TestFiles.TinyModel,
            ]);

        RequireError(result, $"The judge did not answer: {judge.Address}/chat/completions answered with status 200 and '<html>'");
        Assert.Equal("", File.ReadAllText(Items));
    }

    private static void RequireError(KimiResult result, string expected)
    {
        Assert.Contains(expected, result.Error);
        Assert.StartsWith("kimi: ", result.Error);
        Assert.DoesNotContain("Exception", result.Error);
        Assert.Equal(1, result.Error.Count('\n'));
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
    }

    private Task<KimiResult> RunAsync(FakeEndpoint server) => KimiProcess.RunAsync(
        [
            "eval", "run", "-b", "exact", "-d", _folder.File("data.jsonl"), "-o", _folder.File("run"), "--endpoint", server.Address,
            "--concurrency", "1",
        ]);
}
