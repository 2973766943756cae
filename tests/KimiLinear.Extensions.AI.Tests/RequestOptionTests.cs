using System.ComponentModel;
using System.Text.Json;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The options that change what is asked and when the reply ends, one by one.</summary>
public sealed class RequestOptionTests(TinyModel tiny)
{
    private const string WholeCount = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.";

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    public async Task MaxOutputTokens_Reached_EndsWithLength(int limit)
    {
        ChatResponse response = await CountAsync(new() { MaxOutputTokens = limit });

        Assert.Equal(limit, response.Usage!.OutputTokenCount);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task MaxOutputTokens_NotReached_EndsWithStop()
    {
        ChatResponse response = await CountAsync(new() { MaxOutputTokens = 1000 });

        Assert.Equal(WholeCount, response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public async Task MaxOutputTokens_NotPositive_IsRefused(int limit)
    {
        ArgumentOutOfRangeException exception =
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => CountAsync(new() { MaxOutputTokens = limit }));

        Assert.Contains(nameof(ChatOptions.MaxOutputTokens), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxOutputTokens_Unset_IsTheClientsDefault()
    {
        using KimiLinearChatClient client = tiny.CreateClient(new KimiLinearChatClientOptions { DefaultMaxOutputTokens = 3 });

        ChatResponse limited = await client.GetResponseAsync("Count to 14.", TinyModel.Greedy());
        ChatResponse stated = await client.GetResponseAsync(
            "Count to 14.", new ChatOptions { Temperature = 0, MaxOutputTokens = 4 });

        Assert.Equal(3, limited.Usage!.OutputTokenCount);
        Assert.Equal(4, stated.Usage!.OutputTokenCount);
    }

    [Theory]
    [InlineData(null, null, 3)]
    [InlineData(null, 4, 4)]
    [InlineData(5, null, 5)]
    [InlineData(5, 4, 5)]
    public async Task MaxOutputTokens_ModelRecommendsALimit_HoldsWhereNobodyStatesOne(int? asked, int? clientDefault, int expected)
    {
        GenerationConfig recommended = new() { MaxNewTokens = 3 };
        KimiLinearChatClientOptions options = new() { DefaultMaxOutputTokens = clientDefault };
        using KimiLinearChatClient client = new(tiny.Model, tiny.Tokenizer, recommended, options);

        ChatResponse response = await client.GetResponseAsync(
            "Count to 14.", new ChatOptions { Temperature = 0, MaxOutputTokens = asked }, TestContext.Current.CancellationToken);

        Assert.Equal(expected, response.Usage!.OutputTokenCount);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task MaxOutputTokens_OnlyInTheModelsFile_EndsTheReply()
    {
        using TemporaryModelFolder folder = new();
        File.WriteAllText(Path.Combine(folder.Path, "generation_config.json"), """{"max_new_tokens":3}""");
        using KimiLinearChatClient client = KimiLinearChatClient.Load(folder.Path);

        ChatResponse response = await client.GetResponseAsync(
            "Count to 14.", TinyModel.Greedy(), TestContext.Current.CancellationToken);

        Assert.Equal(3, response.Usage!.OutputTokenCount);
    }

    [Theory]
    [InlineData("5", "1, 2, 3, 4, ")]
    [InlineData(", 5, 6", "1, 2, 3, 4")]
    [InlineData("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.", "")]
    public async Task StopSequences_AcrossTokens_EndTheReplyBeforeThem(string stop, string expected)
    {
        ChatResponse response = await StreamRules.CheckAsync(tiny.Client.GetStreamingResponseAsync(
            "Count to 14.", new ChatOptions { Temperature = 0, StopSequences = [stop] }));

        Assert.Equal(expected, response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task StopSequences_EmptyOrNull_AreIgnored()
    {
        ChatResponse response = await CountAsync(new() { StopSequences = ["", null!, "nowhere"] });

        Assert.Equal(WholeCount, response.Text);
    }

    [Fact]
    public async Task StopSequences_BeginningOfOneAtTheEnd_IsShownAfterAll()
    {
        ChatResponse response = await CountAsync(new() { StopSequences = ["14. And"] });

        Assert.Equal(WholeCount, response.Text);
    }

    [Fact]
    public async Task Instructions_Set_BecomeTheFirstSystemTurn()
    {
        ScriptedReply script = new(tiny.Tokenizer, "Yes.");
        ChatOptions options = script.Options();
        options.Instructions = "Be brief.";

        await tiny.FreeClient.GetResponseAsync(
            [new(ChatRole.System, "Be kind."), new(ChatRole.User, "Hello!")], options, TestContext.Current.CancellationToken);

        Assert.StartsWith(
            "<|im_system|>system<|im_middle|>Be brief.<|im_end|><|im_system|>system<|im_middle|>Be kind.<|im_end|>",
            script.Prompt,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public async Task Instructions_Blank_AddNothing(string? instructions)
    {
        ScriptedReply script = new(tiny.Tokenizer, "Yes.");
        ChatOptions options = script.Options();
        await tiny.FreeClient.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);
        options.Instructions = instructions;

        await tiny.FreeClient.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);

        Assert.Equal(script.Prompts[0], script.Prompts[1]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("kimi-linear-tiny")]
    [InlineData("Kimi-Linear-TINY")]
    public async Task ModelId_OwnOrNone_IsAccepted(string? modelId)
    {
        ChatResponse response = await CountAsync(new() { ModelId = modelId });

        Assert.Equal("kimi-linear-tiny", response.ModelId);
    }

    [Fact]
    public async Task ModelId_Another_IsRefused()
    {
        InvalidOperationException exception =
            await Assert.ThrowsAsync<InvalidOperationException>(() => CountAsync(new() { ModelId = "gpt-9" }));

        Assert.Contains("gpt-9", exception.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(ChatOptions.ModelId), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModelId_GivenToTheClient_ReplacesTheFoldersName()
    {
        using KimiLinearChatClient client = tiny.CreateClient(new KimiLinearChatClientOptions { ModelId = "my-model" });

        ChatResponse response = await client.GetResponseAsync("Hello!", new ChatOptions { ModelId = "my-model" });

        Assert.Equal("my-model", response.ModelId);
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await client.GetResponseAsync("Hello!", new ChatOptions { ModelId = "kimi-linear-tiny" }));
    }

    [Fact]
    public async Task ResponseFormat_Text_ChangesNothing() =>
        Assert.Equal(WholeCount, (await CountAsync(new() { ResponseFormat = ChatResponseFormat.Text })).Text);

    [Fact]
    public async Task ContinuationToken_Any_IsAlwaysRefused()
    {
        ChatOptions options = new() { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }) };

        NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(() => CountAsync(options));

        Assert.Contains(nameof(ChatOptions.ContinuationToken), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConversationId_OfAService_IsNeitherUsedNorGivenBack() =>
        await RequireNoChangeAsync(new() { ConversationId = "conversation-1" });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AllowBackgroundResponses_Any_IsAnsweredAtOnce(bool allowed) =>
        await RequireNoChangeAsync(new() { AllowBackgroundResponses = allowed });

    [Theory]
    [InlineData(null, null)]
    [InlineData(ReasoningEffort.None, ReasoningOutput.None)]
    [InlineData(ReasoningEffort.ExtraHigh, ReasoningOutput.Full)]
    public async Task Reasoning_Any_ChangesNothing(ReasoningEffort? effort, ReasoningOutput? output)
    {
        ChatResponse response = await RequireNoChangeAsync(
            new() { Reasoning = new ReasoningOptions { Effort = effort, Output = output } });

        Assert.Empty(response.Messages[0].Contents.OfType<TextReasoningContent>());
        Assert.Null(response.Usage!.ReasoningTokenCount);
    }

    [Fact]
    public async Task ToolMode_AutoWithoutTools_ChangesNothing() => await RequireNoChangeAsync(new() { ToolMode = ChatToolMode.Auto });

    [Fact]
    public async Task Tools_Empty_ChangeNothing() => await RequireNoChangeAsync(new() { Tools = [] });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AllowMultipleToolCalls_WithoutTools_ChangesNothing(bool allowed) =>
        await RequireNoChangeAsync(new() { AllowMultipleToolCalls = allowed });

    [Theory]
    [InlineData("Plugin_Function")]
    [InlineData("a.b")]
    [InlineData("functions.x")]
    [InlineData("tool:7")]
    [InlineData("get weather")]
    [InlineData("größe_测试")]
    [InlineData("a-b")]
    public async Task Tools_NameOfAnyForm_IsCalledByIt(string name)
    {
        ChatOptions options = TinyModel.Greedy(AIFunctionFactory.Create(() => 1, name), Tools.GetWeather());
        options.ToolMode = ChatToolMode.RequireSpecific(name);
        options.AllowMultipleToolCalls = false;

        ChatResponse response = await StreamRules.CheckAsync(tiny.Client.GetStreamingResponseAsync("Hello!", options));

        FunctionCallContent call = Assert.IsType<FunctionCallContent>(Assert.Single(response.Messages[0].Contents));
        Assert.Equal(name, call.Name);
        Assert.EndsWith($"{name}:0", call.CallId, StringComparison.Ordinal);
    }

    [Fact]
    public void RawRepresentationFactory_Throws_PassesItsExceptionOn()
    {
        ChatOptions options = new() { RawRepresentationFactory = _ => throw new TimeoutException("too late") };

        Assert.Throws<TimeoutException>(() => { tiny.Client.GetStreamingResponseAsync("Hello!", options); });
    }

    [Fact]
    public async Task ToolMode_None_DeclaresNothingAndCallsNothing()
    {
        ScriptedReply script = new(tiny.Tokenizer, "No.");
        ChatOptions options = script.Options(Tools.GetWeather());
        options.ToolMode = ChatToolMode.None;

        ChatResponse response = await StreamRules.CheckAsync(
            tiny.FreeClient.GetStreamingResponseAsync("What is the weather in Paris?", options));

        Assert.DoesNotContain("get_weather", script.Prompt, StringComparison.Ordinal);
        Assert.Equal("No.", response.Text);
    }

    [Fact]
    public async Task ToolMode_NoneButTheModelCallsAnyway_GivesNoCall()
    {
        ScriptedReply script = new(tiny.Tokenizer, Written.Calls(("functions.get_weather:0", "{\"city\": \"Paris\"}")));
        ChatOptions options = script.Options(Tools.GetWeather());
        options.ToolMode = ChatToolMode.None;
        Func<IChatClient, object?> scripted = options.RawRepresentationFactory!;
        options.RawRepresentationFactory = client => (GenerationOptions)scripted(client)! with { ForbiddenTokenIds = [] };

        ChatResponse response = await StreamRules.CheckAsync(tiny.FreeClient.GetStreamingResponseAsync("Hello!", options));

        Assert.Empty(response.Messages[0].Contents.OfType<FunctionCallContent>());
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Theory]
    [InlineData(ToolCallMarkers.SectionBegin, false)]
    [InlineData(ToolCallMarkers.CallBegin, false)]
    [InlineData(ToolCallMarkers.SectionBegin, true)]
    public async Task Tools_NoneOffered_TheModelCannotBeginACall(string marker, bool givesToolsItMayNotCall)
    {
        ChatOptions options = InFavourOf(marker);
        options.Tools = givesToolsItMayNotCall ? [Tools.GetWeather()] : null;
        options.ToolMode = givesToolsItMayNotCall ? ChatToolMode.None : null;

        await RequireNoChangeAsync(options);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Tools_NoneOffered_SeededRepliesAreThoseWithNothingForbidden(int seed)
    {
        ChatOptions Options(IReadOnlyList<int>? forbidden) => new()
        {
            RawRepresentationFactory = _ => new GenerationOptions
            {
                ForbiddenTokenIds = forbidden,
                SamplingOptions = new SamplingOptions { Temperature = 1.2f, TopP = 0.97f, Seed = (ulong)seed },
                MaxTokens = 100,
            },
        };

        ChatResponse usual = await tiny.Client.GetResponseAsync("Tell me a story about a blue bear.", Options(null));
        ChatResponse free = await tiny.Client.GetResponseAsync("Tell me a story about a blue bear.", Options([]));

        Assert.Equal(free.Text, usual.Text);
    }

    [Fact]
    public async Task Tools_NoneOfferedButNothingForbidden_TheModelMayBeginOne()
    {
        ChatOptions options = InFavourOf(ToolCallMarkers.SectionBegin);
        options.MaxOutputTokens = 5;
        options.RawRepresentationFactory = _ => new GenerationOptions { ForbiddenTokenIds = [], IncludeSpecialTokens = true };

        ChatResponse response = await CountAsync(options);

        Assert.StartsWith(ToolCallMarkers.SectionBegin, response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tools_DeclarationWithoutCode_IsDeclared()
    {
        JsonElement schema = JsonSerializer.SerializeToElement(
            new { type = "object", properties = new { city = new { type = "string" } } });
        ChatOptions options = TinyModel.Greedy(
            AIFunctionFactory.CreateDeclaration("get_weather", "Get the current weather for a city", schema));

        ChatResponse response = await tiny.Client.GetResponseAsync(
            "What is the weather in Paris?", options, TestContext.Current.CancellationToken);

        Assert.Equal("get_weather", Assert.IsType<FunctionCallContent>(Assert.Single(response.Messages[0].Contents)).Name);
    }

    [Fact]
    public async Task Tools_TwoOfOneName_DeclareTheLast()
    {
        ScriptedReply script = new(tiny.Tokenizer, "Yes.");
        AIFunction first = AIFunctionFactory.Create(() => 1, "tool", "The first one");
        AIFunction last = AIFunctionFactory.Create(() => 2, "tool", "The last one");

        await tiny.FreeClient.GetResponseAsync("Hello!", script.Options(first, last), TestContext.Current.CancellationToken);

        Assert.Contains("The last one", script.Prompt, StringComparison.Ordinal);
        Assert.DoesNotContain("The first one", script.Prompt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tools_Declared_AppearWithNameDescriptionAndSchema()
    {
        ScriptedReply script = new(tiny.Tokenizer, "Yes.");
        AIFunction tool = AIFunctionFactory.Create(([Description("How many")] int count) => count, "order", "Orders things");

        await tiny.FreeClient.GetResponseAsync("Hello!", script.Options(tool), TestContext.Current.CancellationToken);

        Assert.All(["order", "Orders things", "How many", "\"integer\""],
            part => Assert.Contains(part, script.Prompt, StringComparison.Ordinal));
    }

    private ChatOptions InFavourOf(string marker) => new()
    {
        AdditionalProperties = new()
        {
            [KimiLinearChatClient.LogitBiasProperty] =
                new Dictionary<int, float> { [tiny.Tokenizer.GetSpecialTokenId(marker)] = 1000 },
        },
    };

    private async Task<ChatResponse> RequireNoChangeAsync(ChatOptions options)
    {
        ChatResponse response = await CountAsync(options);

        Assert.Equal(WholeCount, response.Text);
        Assert.Null(response.ConversationId);
        Assert.Null(response.ContinuationToken);
        return response;
    }

    private Task<ChatResponse> CountAsync(ChatOptions options)
    {
        options.Temperature = 0;
        return tiny.FreeClient.GetResponseAsync("Count to 14.", options, TestContext.Current.CancellationToken);
    }
}
