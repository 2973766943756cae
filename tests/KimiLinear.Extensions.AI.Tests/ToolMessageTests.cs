using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Calls and results in the history, and the prompts they become.</summary>
public sealed class ToolMessageTests(TinyModel tiny)
{
    [Fact]
    public async Task Calls_InMessagesOfTheirOwn_AreOneTurn()
    {
        FunctionCallContent first = new("functions.add:0", "add", Arguments(1, 2));
        FunctionCallContent second = new("functions.add:1", "add", Arguments(3, 4));

        string apart = await PromptAsync(new(ChatRole.Assistant, [first]), new(ChatRole.Assistant, [second]));
        string together = await PromptAsync(new ChatMessage(ChatRole.Assistant, [first, second]));

        Assert.Equal(together, apart);
    }

    [Fact]
    public async Task Calls_AfterTextOfTheAssistant_JoinItsTurn() => Assert.Equal(
        await PromptAsync(new ChatMessage(
            ChatRole.Assistant, [new TextContent("Wait."), new FunctionCallContent("functions.add:0", "add")])),
        await PromptAsync(new(ChatRole.Assistant, "Wait."),
            new(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add")])));

    [Fact]
    public async Task Results_SeveralInOneMessage_AreATurnEach()
    {
        FunctionCallContent[] calls = [new("functions.add:0", "add"), new("functions.add:1", "add")];
        FunctionResultContent[] results = [new("functions.add:0", 3), new("functions.add:1", 7)];

        string together = await PromptAsync(
            new ChatMessage(ChatRole.Assistant, [.. calls]), new ChatMessage(ChatRole.Tool, [.. results]));
        string apart = await PromptAsync(
            new(ChatRole.Assistant, [.. calls]), new(ChatRole.Tool, [results[0]]), new(ChatRole.Tool, [results[1]]));

        Assert.Equal(apart, together);
        Assert.Contains("functions.add:0\n3<|im_end|>", together, StringComparison.Ordinal);
        Assert.Contains("functions.add:1\n7<|im_end|>", together, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_ArgumentsWithHalfACharacter_StayAsTheyWereEscaped()
    {
        string prompt = await PromptAsync(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent(
            "functions.add:0", "add", new Dictionary<string, object?> { ["a"] = JsonElement.Parse("\"x\\ud83d\""), ["b"] = 1 })]));

        Assert.Contains("""{"a": "x\ud83d", "b": 1}""", prompt, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Schema_WithHalfACharacter_IsRefusedByItsOption(bool isOfATool)
    {
        JsonElement schema = JsonElement.Parse("""{"type":"object","description":"\ud800","properties":{}}""");
        ChatOptions options = isOfATool
            ? new() { Tools = [AIFunctionFactory.CreateDeclaration("f", "", schema)] }
            : new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema) };

        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => tiny.Client.GetStreamingResponseAsync("Hello!", options, TestContext.Current.CancellationToken));

        Assert.StartsWith(isOfATool ? "Tools: The parameters of the tool 'f'" : "ResponseFormat", exception.Message);
    }

    [Theory]
    [InlineData(@"f\ud800", "", "name holds half of a surrogate pair")]
    [InlineData("f", @"\ud800", "description holds half of a surrogate pair")]
    public void Tool_WithHalfACharacter_IsRefusedByItsOption(string name, string description, string fault)
    {
        // An attribute cannot hold the half itself.
        name = Regex.Unescape(name);
        ChatOptions options = new()
        {
            Tools = [AIFunctionFactory.CreateDeclaration(name, Regex.Unescape(description), JsonElement.Parse("{}"))],
        };

        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => tiny.Client.GetStreamingResponseAsync("Hello!", options, TestContext.Current.CancellationToken));

        Assert.StartsWith($"Tools: The tool '{name}': {fault}", exception.Message, StringComparison.Ordinal);
    }

    public static TheoryData<object?, string> ResultForms() => new()
    {
        { "plain text", "plain text" },
        { "", "" },
        { null, "" },
        { 42, "42" },
        { true, "true" },
        { new { temperature = 18, condition = "sunny" }, "{\"temperature\": 18, \"condition\": \"sunny\"}" },
        { new[] { 1, 2 }, "[1, 2]" },
        { new Dictionary<string, object?> { ["name"] = "Bär \"x\"" }, "{\"name\": \"Bär \\\"x\\\"\"}" },
        { JsonSerializer.SerializeToElement("a string"), "a string" },
        { JsonSerializer.SerializeToElement(new { a = 1 }), "{\"a\": 1}" },
        { JsonSerializer.SerializeToElement<object?>(null), "" },
        { default(JsonElement), "" },
        { JsonElement.Parse("""{"cut":"a\ud83d","\udc00":1}"""), """{"cut": "a\ud83d", "\udc00": 1}""" },
        { JsonElement.Parse("\"a\\ud83d\""), "\"a\\ud83d\"" },
        { new TextContent("content"), "content" },
        { new AIContent[] { new TextContent("con"), new TextContent("tent") }, "content" },
    };

    [Theory]
    [MemberData(nameof(ResultForms), DisableDiscoveryEnumeration = true)]
    public async Task Result_OfAnyType_BecomesText(object? result, string expected)
    {
        string prompt = await PromptAsync(
            new(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add")]),
            new(ChatRole.Tool, [new FunctionResultContent("functions.add:0", result)]));

        Assert.Contains($"functions.add:0\n{expected}<|im_end|>", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Result_ExceptionAlone_SaysWhatFailed()
    {
        FunctionResultContent result = new("functions.add:0", null) { Exception = new InvalidOperationException("no wind") };

        string prompt = await PromptAsync(
            new(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add")]), new(ChatRole.Tool, [result]));

        Assert.Contains("Error: no wind<|im_end|>", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arguments_OfAnyType_AreWrittenAsJson()
    {
        Dictionary<string, object?> arguments = new()
        {
            ["text"] = "ü",
            ["number"] = 1,
            ["element"] = JsonSerializer.SerializeToElement(2.5),
            ["list"] = new List<object?> { 1, "x", null },
            ["nested"] = new Dictionary<string, object?> { ["deep"] = true },
            ["none"] = null,
        };

        string prompt = await PromptAsync(
            new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add", arguments)]));

        Assert.Contains(
            "{\"text\": \"ü\", \"number\": 1, \"element\": 2.5, \"list\": [1, \"x\", null], \"nested\": {\"deep\": true}, \"none\": null}",
            prompt,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ids_OfAForeignForm_AreRenumberedForTheModelOnly()
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.add:1", "{}")));

        ChatResponse response = await tiny.FreeClient.GetResponseAsync(
            [
                new(ChatRole.Assistant, [new FunctionCallContent("call_abc", "add", Arguments(1, 2))]),
                new(ChatRole.Tool, [new FunctionResultContent("call_abc", 3)]),
            ],
            script.Options(Tools.Add()),
            TestContext.Current.CancellationToken);

        Assert.DoesNotContain("call_abc", script.Prompt, StringComparison.Ordinal);
        Assert.Contains("functions.add:0\n3<|im_end|>", script.Prompt, StringComparison.Ordinal);
        Assert.Equal("functions.add:1", Assert.Single(response.Messages[0].Contents.OfType<FunctionCallContent>()).CallId);
    }

    [Fact]
    public async Task Call_InformationalOnly_IsRenderedLikeAnyOther()
    {
        FunctionCallContent informational = new("functions.add:0", "add") { InformationalOnly = true };

        Assert.Equal(
            await PromptAsync(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add")])),
            await PromptAsync(new ChatMessage(ChatRole.Assistant, [informational])));
    }

    private static Dictionary<string, object?> Arguments(int a, int b) => new() { ["a"] = a, ["b"] = b };

    private async Task<string> PromptAsync(params ChatMessage[] messages)
    {
        ScriptedReply script = new(tiny.Tokenizer, "Yes.");
        await tiny.FreeClient.GetResponseAsync(messages, script.Options(Tools.Add()), TestContext.Current.CancellationToken);
        return script.Prompt;
    }
}
