using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What middleware does with the client's replies: keep them, write them down, change the options on the way.</summary>
public sealed class MiddlewareTests(TinyModel tiny)
{
    [Fact]
    public async Task UseDistributedCache_SameRequest_GivesTheSameReply()
    {
        IChatClient client = tiny.Client.AsBuilder().UseDistributedCache(new InMemoryCache()).Build();
        ChatOptions options = new() { Temperature = 2, MaxOutputTokens = 20 };

        ChatResponse first = await client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);
        ChatResponse second = await client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken);

        Assert.Equal(first.ResponseId, second.ResponseId);
        Assert.Equal(first.Text, second.Text);
        Assert.Equal(first.Usage!.TotalTokenCount, second.Usage!.TotalTokenCount);
    }

    [Fact]
    public async Task UseDistributedCache_Stream_GivesTheSameReply()
    {
        IChatClient client = tiny.Client.AsBuilder().UseDistributedCache(new InMemoryCache()).Build();
        ChatOptions options = new() { Temperature = 0, Tools = [Tools.GetWeather()] };

        ChatResponse first = await client.GetStreamingResponseAsync(
            "What is the weather in Paris?", options).ToChatResponseAsync();
        ChatResponse second = await client.GetStreamingResponseAsync(
            "What is the weather in Paris?", options).ToChatResponseAsync();

        Assert.Equal(first.ResponseId, second.ResponseId);
        Assert.Equal(ChatFinishReason.ToolCalls, second.FinishReason);
        Assert.Single(second.Messages[0].Contents.OfType<FunctionCallContent>());
    }

    [Theory]
    [InlineData("Hello!")]
    [InlineData("What is the weather in Paris?")]
    public async Task Response_WrittenAsJson_ComesBackWhole(string question)
    {
        ChatResponse response = await tiny.Client.GetResponseAsync(
            question, TinyModel.Greedy(Tools.GetWeather()), TestContext.Current.CancellationToken);

        string json = JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions);
        ChatResponse read = JsonSerializer.Deserialize<ChatResponse>(json, AIJsonUtilities.DefaultOptions)!;

        Assert.Equal(json, JsonSerializer.Serialize(read, AIJsonUtilities.DefaultOptions));
        Assert.Equal(response.Text, read.Text);
        Assert.Equal(response.FinishReason, read.FinishReason);
        Assert.Equal(response.Messages[0].Contents.Count, read.Messages[0].Contents.Count);
    }

    [Fact]
    public async Task Response_ReadBackFromJson_ContinuesTheConversation()
    {
        List<ChatMessage> history = [new(ChatRole.User, "What is the weather in Paris?")];
        ChatOptions options = TinyModel.Greedy(Tools.GetWeather());
        ChatResponse called = await tiny.Client.GetResponseAsync(history, options, TestContext.Current.CancellationToken);
        history.AddMessages(called);
        string id = Assert.Single(called.Messages[0].Contents.OfType<FunctionCallContent>()).CallId;
        history.Add(new ChatMessage(ChatRole.Tool,
            [new FunctionResultContent(id, new { temperature = 18, condition = "sunny" })]));

        string json = JsonSerializer.Serialize(history, AIJsonUtilities.DefaultOptions);
        List<ChatMessage> read = JsonSerializer.Deserialize<List<ChatMessage>>(json, AIJsonUtilities.DefaultOptions)!;
        ChatResponse answer = await tiny.Client.GetResponseAsync(read, options, TestContext.Current.CancellationToken);

        Assert.Equal("The weather in Paris is sunny with 18 degrees.", answer.Text);
    }

    [Fact]
    public void Metadata_WrittenAsJson_NamesTheProvider()
    {
        ChatClientMetadata metadata = tiny.Client.GetService<ChatClientMetadata>()!;

        Assert.Contains("kimilinear", JsonSerializer.Serialize(metadata, AIJsonUtilities.DefaultOptions),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConfigureOptions_DefaultsOfTheApplication_AreHonoured()
    {
        IChatClient client = tiny.Client.AsBuilder().ConfigureOptions(options =>
        {
            options.Temperature = 0;
            options.MaxOutputTokens = 4;
        }).Build();

        ChatResponse response = await client.GetResponseAsync(
            "Count to 14.", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(4, response.Usage!.OutputTokenCount);
    }
}
