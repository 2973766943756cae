using System.ComponentModel;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Response formats and tool modes hold whatever the model would rather write.</summary>
public sealed class ConstrainedReplyTests(TinyModel tiny)
{
    private const string Question = "What is the weather in Paris?";
    private const int SeedCount = 8;

    // A grammar lets every reply end, but a hot model may put it off.
    private const int MaxTokens = 400;

    private int _wholeCount;

    private enum Colour
    {
        Red,
        Green,
        Blue,
    }

    [Fact]
    public async Task ResponseFormat_Json_GivesAnObject()
    {
        foreach (ChatOptions options in Hot(new ChatOptions { ResponseFormat = ChatResponseFormat.Json }))
        {
            ChatResponse response = await AskAsync(options);
            if (IsWhole(response))
            {
                Assert.Equal(JsonValueKind.Object, JsonElement.Parse(response.Text).ValueKind);
                Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
            }
        }

        RequireSomeWhole();
    }

    [Fact]
    public async Task GetResponseAsync_OfAType_GivesThatType()
    {
        foreach (ChatOptions options in Hot(new ChatOptions()))
        {
            await RequireAsync<Person>(options, person => person.Name is not null && person.Tags is not null);
            await RequireAsync<long>(options, _ => true);
            await RequireAsync<bool>(options, _ => true);
            await RequireAsync<Colour>(options, Enum.IsDefined);
            await RequireAsync<string[]>(options, texts => texts is not null);
            await RequireAsync<TimeOnly>(options, _ => true);
        }

        RequireSomeWhole();
    }

    [Fact]
    public async Task ResponseFormat_Schema_IsToldToTheModel()
    {
        ScriptedReply script = new(tiny.Tokenizer, "{\"name\": \"Ann\", \"age\": 3, \"tags\": []}");
        ChatOptions options = script.Options();
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema<Person>();

        ChatResponse response = await AskAsync(options);

        Assert.Contains("\"age\"", script.Prompt, StringComparison.Ordinal);
        Assert.Equal("{\"name\": \"Ann\", \"age\": 3, \"tags\": []}", response.Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Schema_RequestCancelledBeforeItIsCompiled_EndsAsTheReplyIsRead(bool isOfATool)
    {
        // A name that no other test has, lest the schema be found compiled already.
        JsonElement schema = JsonElement.Parse($$$"""{"properties": {"cancelled{{{isOfATool}}}": true}}""");
        ChatOptions options = isOfATool
            ? new() { Tools = [AIFunctionFactory.CreateDeclaration("f", "", schema)], ToolMode = ChatToolMode.RequireAny }
            : new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema) };

        CancellationToken cancelled = new(canceled: true);
        IAsyncEnumerable<ChatResponseUpdate> updates = tiny.Client.GetStreamingResponseAsync(Question, options, cancelled);
        Task<ChatResponse> response = tiny.Client.GetResponseAsync(Question, options, cancelled);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await updates.ToChatResponseAsync());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => response);
    }

    [Theory]
    [InlineData("""{"type": "colour"}""")]
    [InlineData("""{"const": "\ud800"}""")]
    [InlineData("""{"properties": {"\udc00": true}}""")]
    public async Task ResponseFormat_SchemaThatIsNone_IsRefusedByPlace(string schema)
    {
        ChatOptions options = new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse(schema)) };

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => AskAsync(options));

        Assert.Contains(nameof(ChatOptions.ResponseFormat), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ToolMode_RequireAny_CallsWithArgumentsThatFit()
    {
        foreach (ChatOptions options in Hot(new ChatOptions { ToolMode = ChatToolMode.RequireAny, Tools = [Tools.GetWeather(), Order()] }))
        {
            ChatResponse response = await AskAsync(options);

            FunctionCallContent[] calls = CallsOf(response);
            Assert.All(calls, RequireFit);
            Assert.Equal(calls.Length, calls.Select(call => call.CallId).Distinct().Count());
            if (IsWhole(response))
            {
                Assert.NotEmpty(calls);
                Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
            }
        }

        RequireSomeWhole();
    }

    [Fact]
    public async Task ToolMode_RequireSpecific_CallsThatFunction()
    {
        foreach (ChatOptions options in Hot(new ChatOptions { ToolMode = ChatToolMode.RequireSpecific("order"), Tools = [Tools.GetWeather(), Order()] }))
        {
            ChatResponse response = await AskAsync(options);

            FunctionCallContent[] calls = CallsOf(response);
            Assert.All(calls, call => Assert.Equal("order", call.Name));
            Assert.All(calls, RequireFit);
            Assert.False(IsWhole(response) && calls.Length == 0, "There is no call.");
        }

        RequireSomeWhole();
    }

    [Fact]
    public async Task AllowMultipleToolCalls_False_GivesOneCall()
    {
        foreach (ChatOptions options in Hot(new ChatOptions
        {
            ToolMode = ChatToolMode.RequireAny,
            AllowMultipleToolCalls = false,
            Tools = [Tools.GetWeather(), Order()],
        }))
        {
            ChatResponse response = await AskAsync(options);

            if (IsWhole(response))
            {
                RequireFit(Assert.Single(CallsOf(response)));
            }
        }

        RequireSomeWhole();
    }

    [Fact]
    public async Task ToolMode_RequireWhatIsNotThere_IsRefused()
    {
        ArgumentException none = await Assert.ThrowsAsync<ArgumentException>(
            () => AskAsync(new ChatOptions { ToolMode = ChatToolMode.RequireAny }));
        ArgumentException unknown = await Assert.ThrowsAsync<ArgumentException>(
            () => AskAsync(new ChatOptions { ToolMode = ChatToolMode.RequireSpecific("fly"), Tools = [Order()] }));

        Assert.Contains(nameof(ChatOptions.Tools), none.Message, StringComparison.Ordinal);
        Assert.Contains("'fly'", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("order", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ToolsAndSchema_InOneRequest_GiveCallsOrJson()
    {
        int called = 0;
        foreach (ChatOptions options in Hot(new ChatOptions
        {
            ResponseFormat = ChatResponseFormat.ForJsonSchema<Person>(),
            Tools = [Tools.GetWeather(), Order()],
        }))
        {
            ChatResponse response = await AskAsync(options);

            FunctionCallContent[] calls = CallsOf(response);
            called += calls.Length;
            Assert.All(calls, RequireFit);
            if (IsWhole(response) && calls.Length == 0)
            {
                Assert.NotNull(JsonSerializer.Deserialize<Person>(response.Text, AIJsonUtilities.DefaultOptions));
            }
        }

        Assert.True(called > 0, "No reply called a function, so the test shows half of what it should.");
    }

    [Fact]
    public async Task Tools_HotModel_ArgumentsAlwaysFit()
    {
        foreach (ChatOptions options in Hot(new ChatOptions { Tools = [Tools.GetWeather(), Order()] }))
        {
            ChatResponse response = await AskAsync(options);

            Assert.All(CallsOf(response), RequireFit);
        }
    }

    private static AIFunction Order() => AIFunctionFactory.Create(
        ([Description("How many")] int count, [Description("Which colour")] Colour colour, string[] notes) => count,
        "order",
        "Orders things");

    private static void RequireFit(FunctionCallContent call)
    {
        Assert.Null(call.Exception);
        if (call.Name == "order")
        {
            Assert.Equal(JsonValueKind.Number, Argument("count").ValueKind);
            Assert.Contains(Argument("colour").GetString(), Enum.GetNames<Colour>());
            Assert.All(Argument("notes").EnumerateArray(), note => Assert.Equal(JsonValueKind.String, note.ValueKind));
        }
        else
        {
            Assert.Equal("get_weather", call.Name);
            Assert.Equal(JsonValueKind.String, Argument("city").ValueKind);
        }

        JsonElement Argument(string name) => Assert.IsType<JsonElement>(call.Arguments![name]);
    }

    // Greedy, and as random as callers may ask for.
    private static IEnumerable<ChatOptions> Hot(ChatOptions options)
    {
        ChatOptions greedy = options.Clone();
        greedy.Temperature = 0;
        greedy.MaxOutputTokens = MaxTokens;
        yield return greedy;
        for (int seed = 0; seed < SeedCount; seed++)
        {
            ChatOptions hot = options.Clone();
            hot.Temperature = 2;
            hot.MaxOutputTokens = MaxTokens;
            hot.Seed = seed;
            yield return hot;
        }
    }

    // A model that is held to nothing may write such arguments, and the conversation must go on.
    [Fact]
    public async Task GetResponseAsync_HistoryThatEscapesHalfASurrogatePair_IsRead()
    {
        JsonElement half = JsonElement.Parse("""{"a\udc00": "\ud800"}""");
        ChatMessage[] history =
        [
            new(ChatRole.User, Question),
            new(ChatRole.Assistant, [new FunctionCallContent("1", "order", new Dictionary<string, object?> { ["x"] = half })]),
            new(ChatRole.Tool, [new FunctionResultContent("1", half.EnumerateObject().First().Value)]),
            new(ChatRole.User, Question),
        ];

        ChatResponse response = await tiny.Client.GetResponseAsync(
            history, new ChatOptions { MaxOutputTokens = 2 }, TestContext.Current.CancellationToken);

        Assert.NotNull(response.FinishReason);
    }

    private Task<ChatResponse> AskAsync(ChatOptions options) =>
        tiny.Client.GetResponseAsync(Question, options, TestContext.Current.CancellationToken);

    private async Task RequireAsync<T>(ChatOptions options, Predicate<T> holds)
    {
        ChatResponse<T> response = await tiny.Client.GetResponseAsync<T>(
            Question, options, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(!IsWhole(response) || holds(response.Result), response.Text);
    }

    private static FunctionCallContent[] CallsOf(ChatResponse response) =>
        [.. response.Messages[0].Contents.OfType<FunctionCallContent>()];

    private bool IsWhole(ChatResponse response)
    {
        bool isWhole = response.FinishReason != ChatFinishReason.Length;
        _wholeCount += isWhole ? 1 : 0;
        return isWhole;
    }

    private void RequireSomeWhole() => Assert.True(_wholeCount > 2, $"Only {_wholeCount} replies came to their end.");

    private sealed record Person(string Name, long Age, IReadOnlyList<string> Tags);
}
