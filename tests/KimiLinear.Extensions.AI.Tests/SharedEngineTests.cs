using System.Text.Json;
using KimiLinear.Scheduling;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What callers of one client notice of each other, and of their own earlier turns.</summary>
public sealed class SharedEngineTests(TinyModel tiny)
{
    [Fact]
    public async Task GetResponseAsync_SecondTurn_ReportsWhatWasNotReadAgain()
    {
        using KimiLinearChatClient client = tiny.CreateClient();
        List<ChatMessage> messages = [new(ChatRole.User, "What is the capital of France?")];
        ChatResponse first = await client.GetResponseAsync(messages, TinyModel.Greedy(), TestContext.Current.CancellationToken);
        messages.AddMessages(first);
        messages.Add(new ChatMessage(ChatRole.User, "And of Italy?"));

        ChatResponse second = await client.GetResponseAsync(messages, TinyModel.Greedy(), TestContext.Current.CancellationToken);

        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        Assert.InRange(second.Usage!.CachedInputTokenCount!.Value, first.Usage.InputTokenCount!.Value, second.Usage.InputTokenCount!.Value - 1);
    }

    [Fact]
    public async Task GetResponseAsync_ReuseSwitchedOff_ReportsNothingCached()
    {
        using KimiLinearChatClient client = tiny.CreateClient(new KimiLinearChatClientOptions { ReusePrefixes = false });

        for (int i = 0; i < 3; i++)
        {
            ChatResponse response = await client.GetResponseAsync("Hello!", TinyModel.Greedy(), TestContext.Current.CancellationToken);
            Assert.Equal(0, response.Usage!.CachedInputTokenCount);
        }
    }

    [Fact]
    public async Task GetResponseAsync_MoreThanMayWait_IsRefusedWithATypedException()
    {
        using KimiLinearChatClient client = tiny.CreateClient(
            new KimiLinearChatClientOptions { MaxConcurrentRequests = 1, MaxQueuedRequests = 0 });
        await using IAsyncEnumerator<ChatResponseUpdate> first = client.GetStreamingResponseAsync("Count to 14.").GetAsyncEnumerator();
        ValueTask<bool> running = first.MoveNextAsync();

        await Assert.ThrowsAsync<EngineOverloadedException>(async () =>
        {
            // The first may end before the second begins; not ten times in a row.
            for (int i = 0; i < 10; i++)
            {
                await Task.WhenAll(client.GetResponseAsync("Hello!"), client.GetResponseAsync("Hello!"));
            }
        });
        await running;
    }

    [Fact]
    public async Task GetResponseAsync_LongerThanTheClientsContext_IsRefused()
    {
        using KimiLinearChatClient client = tiny.CreateClient(new KimiLinearChatClientOptions { MaxContextTokens = 8 });

        ArgumentException error = await Assert.ThrowsAsync<ArgumentException>(
            () => client.GetResponseAsync("What is the capital of France?"));

        Assert.Contains("at most 8", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("alice", "alice")]
    [InlineData(5, null)]
    public void CallerProperty_TextOrNot_NamesTheCallerOrNobody(object value, string? expected)
    {
        foreach (object form in (object[])[value, JsonSerializer.SerializeToElement(value)])
        {
            ChatOptions options = new() { AdditionalProperties = new() { [KimiLinearChatClient.CallerProperty] = form } };

            Assert.Equal(
                expected, ChatOptionsMapping.ToGenerationOptions(options, given: null, new Sampling.SamplingOptions(), null).Caller);
        }
    }
}
