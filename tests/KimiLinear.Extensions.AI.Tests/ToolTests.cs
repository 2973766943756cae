using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Calls of tools as the client gives them out, without the middleware that runs them.</summary>
public sealed class ToolTests(TinyModel tiny)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SpecialToken_ThatOpensNoCall_IsNoTextWithToolsEither(bool constrains)
    {
        ChatOptions options = TinyModel.Greedy(AIFunctionFactory.Create((string city) => city, "get_weather"));
        options.MaxOutputTokens = 4;
        options.AdditionalProperties = new()
        {
            [KimiLinearChatClient.LogitBiasProperty] =
                new Dictionary<int, float> { [tiny.Tokenizer.GetSpecialTokenId("<|im_middle|>")] = 100 },
        };

        ChatResponse response = await (constrains ? tiny.Client : tiny.FreeClient).GetResponseAsync(
            "Hello!", options, TestContext.Current.CancellationToken);

        Assert.Equal(4, response.Usage!.OutputTokenCount);
        Assert.Equal("", response.Text);
    }

    [Fact]
    public async Task GetResponseAsync_TwoCallsInATurn_GivesBothInOrder()
    {
        ScriptedReply script = new(
            tiny.Tokenizer,
            "Let me see. " + Written.Calls(
                ("functions.get_weather:0", "{\"city\": \"Paris\"}"), ("functions.get_time:1", "{\"city\": \"Rome\"}")));

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather(), Tools.GetTime())));

        Assert.Equal("Let me see. ", response.Text);
        FunctionCallContent[] calls = CallsOf(response);
        Assert.Equal(["get_weather", "get_time"], calls.Select(call => call.Name));
        Assert.Equal(["functions.get_weather:0", "functions.get_time:1"], calls.Select(call => call.CallId));
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_TextAfterACall_ComesBeforeIt()
    {
        ScriptedReply script = new(
            tiny.Tokenizer, Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}")) + "Wait for it.");

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather())));

        Assert.Equal("Wait for it.", response.Text);
        Assert.Single(CallsOf(response));
    }

    [Fact]
    public async Task GetResponseAsync_HalfACharacterBeforeAMarker_StaysBeforeIt()
    {
        int begin = tiny.Tokenizer.GetSpecialTokenId("<|tool_calls_section_begin|>");
        ScriptedReply script = new(
            tiny.Tokenizer, "Hi 😀" + Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}")))
        {
            // The last byte of the character is never written.
            Edit = ids => [.. ids.Where((_, i) => i + 1 == ids.Length || ids[i + 1] != begin)],
        };

        ChatResponse response = await tiny.FreeClient
            .GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather()), TestContext.Current.CancellationToken)
            .ToChatResponseAsync(TestContext.Current.CancellationToken);

        Assert.Equal("Hi \uFFFD", response.Text);
        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Equal(("functions.get_weather:0", "get_weather"), (call.CallId, call.Name));
    }

    [Fact]
    public async Task GetResponseAsync_OneCallAllowed_StopsAfterTheFirst()
    {
        ScriptedReply script = new(
            tiny.Tokenizer,
            Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}"),
                ("functions.get_time:1", "{\"city\": \"Rome\"}")));
        ChatOptions options = script.Options(Tools.GetWeather(), Tools.GetTime());
        options.AllowMultipleToolCalls = false;

        ChatResponse response = await StreamRules.CheckAsync(tiny.FreeClient.GetStreamingResponseAsync("Hello!", options));

        Assert.Equal("get_weather", Assert.Single(CallsOf(response)).Name);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        Assert.True(response.Usage!.OutputTokenCount < script.TokenCount, "The second call was generated too.");
    }

    [Theory]
    [InlineData(null)]
    [InlineData(true)]
    public async Task GetResponseAsync_ManyCallsAllowed_GivesThemAll(bool? allowed)
    {
        ScriptedReply script = new(
            tiny.Tokenizer, Written.Calls(("functions.add:0", "{}"), ("functions.add:1", "{}"), ("functions.add:2", "{}")));
        ChatOptions options = script.Options(Tools.Add());
        options.AllowMultipleToolCalls = allowed;

        ChatResponse response = await tiny.FreeClient.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);

        Assert.Equal(3, CallsOf(response).Length);
    }

    [Fact]
    public async Task GetResponseAsync_Arguments_AreJsonValues()
    {
        const string Arguments = """{"text": "a \"b\" ü", "number": 12, "real": 1.5, "yes": true, "none": null, "list": [1, 2], "object": {"x": 1}}""";
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.add:0", Arguments)));

        ChatResponse response = await tiny.FreeClient.GetResponseAsync(
            "Hello!", script.Options(Tools.Add()), TestContext.Current.CancellationToken);

        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Null(call.Exception);
        Dictionary<string, JsonElement> values =
            call.Arguments!.ToDictionary(pair => pair.Key, pair => Assert.IsType<JsonElement>(pair.Value));
        Assert.Equal("a \"b\" ü", values["text"].GetString());
        Assert.Equal(12, values["number"].GetInt32());
        Assert.Equal(1.5, values["real"].GetDouble());
        Assert.True(values["yes"].GetBoolean());
        Assert.Equal(JsonValueKind.Null, values["none"].ValueKind);
        Assert.Equal(2, values["list"].GetArrayLength());
        Assert.Equal(1, values["object"].GetProperty("x").GetInt32());
    }

    [Theory]
    [InlineData("{\"city\": ")]
    [InlineData("Paris")]
    [InlineData("[1, 2]")]
    [InlineData("\"Paris\"")]
    [InlineData("null")]
    [InlineData("{\"city\": \"Paris\"} and more")]
    public async Task GetResponseAsync_MalformedArguments_GivesTheCallWithAnException(string arguments)
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.get_weather:0", arguments)));

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather())));

        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Equal("get_weather", call.Name);
        Assert.Null(call.Arguments);
        Assert.IsAssignableFrom<JsonException>(call.Exception is { InnerException: { } inner } ? inner : call.Exception);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_CutInsideACall_GivesNoHalfCall()
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}")));
        ChatOptions options = script.Options(Tools.GetWeather());
        options.MaxOutputTokens = script.TokenCount - 6;

        ChatResponse response = await StreamRules.CheckAsync(tiny.FreeClient.GetStreamingResponseAsync("Hello!", options));

        Assert.Empty(response.Messages[0].Contents);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_ModelLeavesOffInsideACall_GivesTheCallWithItsError()
    {
        ScriptedReply script = new(
            tiny.Tokenizer, "<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"Par");

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather())));

        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Equal("get_weather", call.Name);
        Assert.NotNull(call.Exception);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_ModelLeavesOffInsideACallOfNoTool_GivesItAsText()
    {
        const string Written = "<|tool_call_begin|>functions.fly:0<|tool_call_argument_begin|>{\"to\": \"Ma";
        ScriptedReply script = new(tiny.Tokenizer, Written);

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options(Tools.GetWeather())));

        Assert.Equal(Written, response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_CutInsideTheSecondCall_GivesTheFirstAndSaysLength()
    {
        ScriptedReply script = new(
            tiny.Tokenizer,
            Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}"),
                ("functions.get_time:1", "{\"city\": \"Rome\"}")));
        ChatOptions options = script.Options(Tools.GetWeather(), Tools.GetTime());
        options.MaxOutputTokens = script.TokenCount - 6;

        ChatResponse response = await StreamRules.CheckAsync(tiny.FreeClient.GetStreamingResponseAsync("Hello!", options));

        Assert.Equal("get_weather", Assert.Single(CallsOf(response)).Name);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_CallOfAnUndeclaredTool_ComesAsText()
    {
        string call = Written.Call("functions.fly:0", "{\"to\": \"Mars\"}");
        ScriptedReply script = new(tiny.Tokenizer, call);

        ChatResponse response = await tiny.FreeClient.GetResponseAsync(
            "Hello!", script.Options(Tools.GetWeather()), TestContext.Current.CancellationToken);

        Assert.Equal(call, response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Theory]
    [InlineData("<|tool_call_end|>")]
    [InlineData("<|tool_calls_section_end|><|tool_call_begin|>functions.note:7")]
    public async Task GetResponseAsync_MarkersSpelledInAnArgument_StayInIt(string text)
    {
        JsonElement schema = JsonElement.Parse(
            $$$"""{"type": "object", "properties": {"text": {"const": "{{{text}}}"}}, "required": ["text"]}""");
        ChatOptions options = TinyModel.Greedy(AIFunctionFactory.CreateDeclaration("note", "Takes a note", schema));
        options.ToolMode = ChatToolMode.RequireAny;
        options.AllowMultipleToolCalls = false;

        ChatResponse response = await StreamRules.CheckAsync(tiny.Client.GetStreamingResponseAsync("Hello!", options));

        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Null(call.Exception);
        Assert.Equal(text, Assert.IsType<JsonElement>(call.Arguments!["text"]).GetString());
        Assert.Equal("", response.Text);
    }

    [Theory]
    [InlineData("}<")]
    [InlineData("<|tool_calls_section_begin|>")]
    [InlineData("|>")]
    [InlineData("}<|tool_call_end|>")]
    public async Task GetResponseAsync_StopSequenceLikeMarkers_LeavesTheCallAlone(string stop)
    {
        ChatOptions options = TinyModel.Greedy(Tools.GetWeather());
        options.StopSequences = [stop];

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.Client.GetStreamingResponseAsync("What is the weather in Paris?", options));

        FunctionCallContent call = Assert.Single(CallsOf(response));
        Assert.Equal("Paris", Assert.IsType<JsonElement>(call.Arguments!["city"]).GetString());
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
    }

    [Fact]
    public async Task GetResponseAsync_WholeCall_KeepsWhatTheModelWrote()
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.get_weather:0", "{\"city\":\"Paris\"}")));

        ChatResponse response = await tiny.FreeClient.GetResponseAsync(
            "Hello!", script.Options(Tools.GetWeather()), TestContext.Current.CancellationToken);

        var raw = Assert.IsType<ToolCalls.ToolCall>(Assert.Single(CallsOf(response)).RawRepresentation);
        Assert.Equal("{\"city\":\"Paris\"}", raw.Arguments);
    }

    private static FunctionCallContent[] CallsOf(ChatResponse response) =>
        [.. response.Messages[0].Contents.OfType<FunctionCallContent>()];
}
