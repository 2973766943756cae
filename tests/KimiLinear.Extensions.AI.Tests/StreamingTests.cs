using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

public sealed class StreamingTests(TinyModel tiny)
{
    [Theory]
    [InlineData("Hello!", "Hello! How can I help you today?")]
    [InlineData("Thank you.", "You are welcome!")]
    [InlineData("Capital of Norway?", "The capital of Norway is Oslo.")]
    [InlineData("Count to 14.", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.")]
    public async Task GetStreamingResponseAsync_KnownQuestion_AnswersByTheRules(string question, string answer)
    {
        ChatResponse response = await StreamRules.CheckAsync(Stream(question));

        Assert.Equal(answer, response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal("kimi-linear-tiny", response.ModelId);
        Assert.IsType<TextContent>(Assert.Single(response.Messages[0].Contents));
    }

    [Theory]
    [InlineData("Tell me a story about a blue bear.")]
    [InlineData("Write a C# function that adds two numbers.")]
    [InlineData("What is Kimi Linear?")]
    public async Task GetStreamingResponseAsync_LongReply_ComesInManyUpdates(string question)
    {
        List<ChatResponseUpdate> updates = await CollectAsync(Stream(question));

        StreamRules.Check(updates);
        Assert.True(updates.Count > 10, $"The reply came in {updates.Count} updates.");
    }

    [Theory]
    [InlineData("für Bär Öl ẞ")]
    [InlineData("😀 fox 🚀 cat 👩‍🚀")]
    [InlineData("你好 ring 世界 нет")]
    [InlineData("𝄞")]
    public async Task GetStreamingResponseAsync_CharactersOfSeveralTokens_AreNeverSplit(string text)
    {
        ScriptedReply script = new(tiny.Tokenizer, text);

        ChatResponse response = await StreamRules.CheckAsync(tiny.FreeClient.GetStreamingResponseAsync("Hello!", script.Options()));

        Assert.Equal(text, response.Text);
        Assert.Equal(script.TokenCount, response.Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_CutInsideACharacter_ShowsNoHalfOfIt()
    {
        ScriptedReply script = new(tiny.Tokenizer, "😀");
        ChatOptions options = script.Options();
        options.MaxOutputTokens = script.TokenCount - 2;

        ChatResponse response = await tiny.FreeClient.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);

        Assert.DoesNotContain(response.Text, char.IsSurrogate);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_ReaderLeaves_FreesTheSequence()
    {
        using KimiLinearModel model = KimiLinearModel.Load(TinyModel.Folder);
        using KimiLinearChatClient client = new(
            model,
            tiny.Tokenizer,
            generationConfig: null,
            // A guess would take a second sequence for the step.
            new KimiLinearChatClientOptions { ReusePrefixes = false, MaxDraftTokens = 0 });
        ChatOptions endless = new() { RawRepresentationFactory = _ => new GenerationOptions { StopTokenIds = [] } };

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Count to 14.", endless))
        {
            Assert.Equal(1, model.SequenceCount);
            break;
        }

        await client.GetService<GenerationEngine>()!.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, model.SequenceCount);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_ToolCall_AnswersByTheRules()
    {
        ChatResponse response = await StreamRules.CheckAsync(
            tiny.Client.GetStreamingResponseAsync("What is the weather in Paris?", TinyModel.Greedy(Tools.GetWeather())));

        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        FunctionCallContent call = Assert.IsType<FunctionCallContent>(Assert.Single(response.Messages[0].Contents));
        Assert.Equal("get_weather", call.Name);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task GetStreamingResponseAsync_CutByTheLimit_AnswersByTheRules(int tokens)
    {
        ChatOptions options = TinyModel.Greedy();
        options.MaxOutputTokens = tokens;

        ChatResponse response = await StreamRules.CheckAsync(tiny.Client.GetStreamingResponseAsync("Count to 14.", options));

        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Equal(tokens, response.Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_TwoReplies_HaveIdsOfTheirOwn()
    {
        ChatResponse first = await StreamRules.CheckAsync(Stream("Hello!"));
        ChatResponse second = await StreamRules.CheckAsync(Stream("Hello!"));

        Assert.NotEqual(first.ResponseId, second.ResponseId);
        Assert.NotEqual(first.Messages[0].MessageId, second.Messages[0].MessageId);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_SameStreamReadTwice_RepliesTwice()
    {
        IAsyncEnumerable<ChatResponseUpdate> stream = Stream("Hello!");

        ChatResponse first = await StreamRules.CheckAsync(stream);
        ChatResponse second = await StreamRules.CheckAsync(stream);

        Assert.Equal(first.Text, second.Text);
        Assert.NotEqual(first.ResponseId, second.ResponseId);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_WholeReply_CarriesItsTimings()
    {
        ChatResponse response = await StreamRules.CheckAsync(Stream("Hello!"));

        AdditionalPropertiesDictionary timings = response.Messages[0].AdditionalProperties!;
        Assert.All(
            [
                KimiLinearChatClient.TimeToFirstTokenProperty,
                KimiLinearChatClient.PrefillSpeedProperty,
                KimiLinearChatClient.DecodeSpeedProperty,
            ],
            name => Assert.True(Assert.IsType<double>(timings[name]) > 0, name));
    }

    [Fact]
    public async Task GetResponseAsync_SameRequest_EqualsTheStream()
    {
        ChatResponse streamed = await StreamRules.CheckAsync(Stream("Tell me a story about a blue bear."));
        ChatResponse whole = await tiny.Client.GetResponseAsync(
            "Tell me a story about a blue bear.", TinyModel.Greedy(), TestContext.Current.CancellationToken);

        Assert.Equal(streamed.Text, whole.Text);
        Assert.Equal(streamed.FinishReason, whole.FinishReason);
        Assert.Equal(streamed.Usage!.TotalTokenCount, whole.Usage!.TotalTokenCount);
    }

    private static async Task<List<ChatResponseUpdate>> CollectAsync(IAsyncEnumerable<ChatResponseUpdate> stream)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in stream)
        {
            updates.Add(update);
        }

        return updates;
    }

    private IAsyncEnumerable<ChatResponseUpdate> Stream(string question) =>
        tiny.Client.GetStreamingResponseAsync(question, TinyModel.Greedy());
}
