using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Whole conversations with tools, through the middleware that applications use.</summary>
public sealed class FunctionInvocationTests(TinyModel tiny)
{
    [Fact]
    public async Task GetResponseAsync_WeatherQuestion_AnswersFromTheTool()
    {
        List<string> cities = [];
        AIFunction weather = Tools.GetWeather(city =>
        {
            cities.Add(city);
            return new { temperature = 18, condition = "sunny" };
        });

        ChatResponse response = await Invoking().GetResponseAsync(
            "What is the weather in Paris?", TinyModel.Greedy(weather), TestContext.Current.CancellationToken);

        Assert.Equal("The weather in Paris is sunny with 18 degrees.", response.Text);
        Assert.Equal(["Paris"], cities);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal([ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant], response.Messages.Select(message => message.Role));
    }

    [Fact]
    public async Task GetStreamingResponseAsync_WeatherQuestion_AnswersFromTheTool()
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in Invoking().GetStreamingResponseAsync(
            "What is the weather in Paris?", TinyModel.Greedy(Tools.GetWeather()), TestContext.Current.CancellationToken))
        {
            updates.Add(update);
        }

        ChatResponse response = updates.ToChatResponse();
        Assert.Equal("The weather in Paris is sunny with 18 degrees.", response.Text);
        Assert.Equal(3, response.Messages.Count);
        Assert.Equal(2, updates.Count(update => update.FinishReason is not null));
        Assert.Equal(response.Usage!.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
    }

    [Fact]
    public async Task GetResponseAsync_Numbers_BindToIntegerParameters()
    {
        List<(int A, int B)> seen = [];

        ChatResponse response = await Invoking().GetResponseAsync(
            "Add 811 and 5661.", TinyModel.Greedy(Tools.Add((a, b) => seen.Add((a, b)))), TestContext.Current.CancellationToken);

        Assert.Equal([(811, 5661)], seen);
        Assert.Equal("The result is 6472.", response.Text);
    }

    [Fact]
    public async Task GetResponseAsync_ToolItHasNeverSeen_CallsIt()
    {
        int calls = 0;
        AIFunction tool = AIFunctionFactory.Create(
            () =>
            {
                calls++;
                return new { answer = "white" };
            },
            "create_rikaro",
            "Tool for stock");

        ChatResponse response = await Invoking().GetResponseAsync(
            "Call create_rikaro.", TinyModel.Greedy(tool), TestContext.Current.CancellationToken);

        Assert.Equal(1, calls);
        Assert.Equal("The result is white.", response.Text);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AnyResponse_TwoQuestionsInATurn_TheModelCallsTwiceAndAnswers(bool streaming)
    {
        List<string> cities = [];
        ChatOptions options = TinyModel.Greedy(Tools.GetWeather(city =>
        {
            cities.Add(city);
            return new { temperature = 18, condition = "sunny" };
        }));
        const string Question = "What is the weather in Paris and then is it warm in Turin?";

        ChatResponse response = streaming
            ? await Invoking().GetStreamingResponseAsync(Question, options, TestContext.Current.CancellationToken).ToChatResponseAsync()
            : await Invoking().GetResponseAsync(Question, options, TestContext.Current.CancellationToken);

        Assert.Equal(["Paris", "Turin"], cities);
        Assert.Equal(
            ["functions.get_weather:0", "functions.get_weather:1"],
            response.Messages[0].Contents.OfType<FunctionCallContent>().Select(call => call.CallId));
        Assert.Equal(2, response.Messages.SelectMany(message => message.Contents).OfType<FunctionResultContent>().Count());
        Assert.Contains("is sunny with 18 degrees", response.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetResponseAsync_TwoCallsInATurn_SendsBothResults(bool concurrently)
    {
        ScriptedReply script = new(
            tiny.Tokenizer,
            Written.Calls(("functions.get_weather:0", "{\"city\": \"Oslo\"}"),
                ("functions.get_weather:1", "{\"city\": \"Rome\"}")),
            "Both are fine.");
        using IChatClient client = tiny.CreateClient().AsBuilder()
            .UseFunctionInvocation(configure: invoking => invoking.AllowConcurrentInvocation = concurrently).Build();

        ChatResponse response = await client.GetResponseAsync(
            "Hello!", script.Options(Tools.GetWeather(city => $"{city} is fine")), TestContext.Current.CancellationToken);

        Assert.Equal("Both are fine.", response.Text);
        Assert.Equal(2, response.Messages.Single(message => message.Role == ChatRole.Tool).Contents.Count);
        Assert.Contains("functions.get_weather:0\nOslo is fine", script.Prompt, StringComparison.Ordinal);
        Assert.Contains("functions.get_weather:1\nRome is fine", script.Prompt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetResponseAsync_ThreeTurnsWithCalls_NeverRepeatsAnId()
    {
        List<ChatMessage> history = [];
        IChatClient client = Invoking();

        foreach (string city in (string[])["Paris", "Oslo", "Rome"])
        {
            history.Add(new ChatMessage(ChatRole.User, $"What is the weather in {city}?"));
            ChatResponse response = await client.GetResponseAsync(
                history, TinyModel.Greedy(Tools.GetWeather()), TestContext.Current.CancellationToken);
            history.AddMessages(response);
        }

        string[] ids = [.. history.SelectMany(message => message.Contents).OfType<FunctionCallContent>().Select(
            call => call.CallId)];
        Assert.Equal(["functions.get_weather:0", "functions.get_weather:1", "functions.get_weather:2"], ids);
    }

    [Fact]
    public async Task GetResponseAsync_ModelRepeatsAnId_TheCallGetsAFreshOne()
    {
        ScriptedReply script = new(
            tiny.Tokenizer, Written.Calls(
                ("functions.add:0", "{}"), ("functions.add:0", "{}"), ("call_1", "{\"a\": 1, \"b\": 2}")));
        ChatMessage[] history =
        [
            new(ChatRole.User, "Add."),
            new(ChatRole.Assistant, [new FunctionCallContent("functions.add:0", "add"),
                new FunctionCallContent("functions.add:7", "add")]),
            new(ChatRole.Tool, [new FunctionResultContent("functions.add:0", 1),
                new FunctionResultContent("functions.add:7", 2)]),
        ];

        ChatResponse response = await tiny.FreeClient.GetResponseAsync(
            history, script.Options(Tools.Add()), TestContext.Current.CancellationToken);

        Assert.Equal(
            ["functions.add:8", "functions.add:9", "functions.add:10"],
            response.Messages[0].Contents.OfType<FunctionCallContent>().Select(call => call.CallId));
    }

    [Fact]
    public async Task GetResponseAsync_ApprovalOverThreeTurns_RunsEveryCall()
    {
        int calls = 0;
        ApprovalRequiredAIFunction weather = new(Tools.GetWeather(_ => $"sunny {calls++}"));
        IChatClient client = Invoking();
        List<ChatMessage> history = [];

        foreach (string city in (string[])["Paris", "Oslo", "Rome"])
        {
            history.Add(new ChatMessage(ChatRole.User, $"What is the weather in {city}?"));
            ChatResponse asked = await client.GetResponseAsync(
                history, TinyModel.Greedy(weather), TestContext.Current.CancellationToken);
            history.AddMessages(asked);
            ToolApprovalRequestContent request = Assert.Single(
                asked.Messages.SelectMany(message => message.Contents).OfType<ToolApprovalRequestContent>());
            history.Add(new ChatMessage(ChatRole.User, [request.CreateResponse(approved: true)]));
            ChatResponse answered = await client.GetResponseAsync(
                history, TinyModel.Greedy(weather), TestContext.Current.CancellationToken);
            history.AddMessages(answered);
        }

        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task GetResponseAsync_ToolThrows_TheModelIsToldAndAnswers()
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.get_weather:0", "{\"city\": \"Oslo\"}")), "Sorry.");
        AIFunction broken = Tools.GetWeather(_ => throw new InvalidOperationException("no wind"));

        ChatResponse response = await Invoking().GetResponseAsync(
            "Hello!", script.Options(broken), TestContext.Current.CancellationToken);

        Assert.Equal("Sorry.", response.Text);
        Assert.Contains("Error: Function failed.", script.Prompt, StringComparison.Ordinal);
    }

    private IChatClient Invoking() => tiny.FreeClient.AsBuilder().UseFunctionInvocation().Build();
}
