using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

public sealed class ConcurrencyTests(TinyModel tiny)
{
    private const int RequestCount = 16;

    [Fact]
    public async Task GetResponseAsync_RequestsSideBySide_EqualThoseOneByOne()
    {
        string[] alone = new string[RequestCount];
        for (int i = 0; i < RequestCount; i++)
        {
            alone[i] = (await AskAsync(tiny.Client, i, CancellationToken.None)).Text;
        }

        ChatResponse[] together = await Task.WhenAll(
            Enumerable.Range(0, RequestCount).Select(i => AskAsync(tiny.Client, i, CancellationToken.None)));

        Assert.Equal(alone, together.Select(response => response.Text));
        Assert.True(alone.Distinct().Count() > 1, "All seeds gave the same reply, so the test shows nothing.");
    }

    [Fact]
    public async Task GetResponseAsync_HalfCancelledMidway_OnlyThoseThrow()
    {
        string[] alone = new string[RequestCount];
        for (int i = 0; i < RequestCount; i++)
        {
            alone[i] = (await AskAsync(tiny.Client, i, CancellationToken.None)).Text;
        }

        Task<string?>[] requests = [.. Enumerable.Range(0, RequestCount).Select(
            i => i % 2 == 0 ? CancelMidwayAsync(i) : ReadAsync(i))];
        string?[] texts = await Task.WhenAll(requests);

        Assert.All(Enumerable.Range(0, RequestCount), i => Assert.Equal(i % 2 == 0 ? null : alone[i], texts[i]));

        async Task<string?> ReadAsync(int seed) => (await AskAsync(tiny.Client, seed, CancellationToken.None)).Text;

        async Task<string?> CancelMidwayAsync(int seed)
        {
            using CancellationTokenSource cancellation = new();
            OperationCanceledException exception = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (ChatResponseUpdate update in Stream(tiny.Client, seed, cancellation.Token))
                {
                    await cancellation.CancelAsync();
                }
            });
            Assert.Equal(cancellation.Token, exception.CancellationToken);
            return null;
        }
    }

    [Fact]
    public async Task GetResponseAsync_AlreadyCancelled_ThrowsWithTheCallersToken()
    {
        CancellationToken cancelled = new(canceled: true);

        OperationCanceledException exception =
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => AskAsync(tiny.Client, 0, cancelled));

        Assert.Equal(cancelled, exception.CancellationToken);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_TokenGivenToTheEnumeration_CancelsToo()
    {
        using CancellationTokenSource cancellation = new();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in Stream(tiny.Client, 0, CancellationToken.None).WithCancellation(
                cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        });
    }

    // A request whose next tokens are guessed keeps, for the step, the state to go back to: a second sequence.
    [Theory]
    [InlineData(0, 2)]
    [InlineData(8, 4)]
    public async Task GetResponseAsync_MoreRequestsThanPlaces_AllAreServed(int maxDraftTokens, int maxSequences)
    {
        using KimiLinearModel model = KimiLinearModel.Load(TinyModel.Folder);
        using KimiLinearChatClient client = new(
            model,
            tiny.Tokenizer,
            generationConfig: null,
            new KimiLinearChatClientOptions { MaxConcurrentRequests = 2, ReusePrefixes = false, MaxDraftTokens = maxDraftTokens });
        int most = 0;

        async Task<string> WatchAsync(int seed)
        {
            string text = "";
            await foreach (ChatResponseUpdate update in Stream(client, seed, CancellationToken.None))
            {
                most = Math.Max(most, model.SequenceCount);
                text += update.Text;
            }

            return text;
        }

        string[] replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(WatchAsync));

        Assert.All(replies, text => Assert.NotEqual("", text));
        Assert.InRange(most, 0, maxSequences);
        await client.GetService<GenerationEngine>()!.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, model.SequenceCount);
    }

    [Fact]
    public async Task GetResponseAsync_WaitingForAPlace_CanBeCancelled()
    {
        using KimiLinearChatClient client = tiny.CreateClient(new KimiLinearChatClientOptions { MaxConcurrentRequests = 1 });
        using CancellationTokenSource enough = new();
        TaskCompletionSource isHeld = new();
        Task holder = ReadEndlesslyAsync();
        await isHeld.Task;
        using CancellationTokenSource cancellation = new();
        Task<ChatResponse> waiting = AskAsync(client, 1, cancellation.Token);

        Assert.False(waiting.IsCompleted);
        await cancellation.CancelAsync();

        OperationCanceledException exception = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(cancellation.Token, exception.CancellationToken);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => holder);

        async Task ReadEndlesslyAsync()
        {
            ChatOptions endless = new() { RawRepresentationFactory = _ => new GenerationOptions { StopTokenIds = [] } };
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Hello!", endless, enough.Token))
            {
                isHeld.TrySetResult();
            }
        }
    }

    [Fact]
    public async Task GetResponseAsync_AnotherReaderStopsReading_IsServed()
    {
        await using IAsyncEnumerator<ChatResponseUpdate> stalled =
            Stream(tiny.Client, 0, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await stalled.MoveNextAsync());

        ChatResponse other = await AskAsync(tiny.Client, 1, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));

        Assert.NotEqual("", other.Text);
        Assert.True(await stalled.MoveNextAsync());
    }

    [Fact]
    public async Task GetResponseAsync_ManyShortConversations_KeepNoMemory()
    {
        using KimiLinearModel model = KimiLinearModel.Load(TinyModel.Folder);
        using KimiLinearChatClient client = new(
            model,
            tiny.Tokenizer,
            generationConfig: null,
            // A guess takes a copy of the sequence, and the first conversation may make none.
            new KimiLinearChatClientOptions { ReusePrefixes = false, MaxDraftTokens = 0 });
        await client.GetResponseAsync("Hello!", TinyModel.Greedy(), TestContext.Current.CancellationToken);
        long before = model.SequenceMemoryBytes;

        for (int i = 0; i < 200; i++)
        {
            await client.GetResponseAsync("Hello!", TinyModel.Greedy(), TestContext.Current.CancellationToken);
        }

        await client.GetService<GenerationEngine>()!.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(before, model.SequenceMemoryBytes);
        Assert.Equal(0, model.SequenceCount);
    }

    private static Task<ChatResponse> AskAsync(KimiLinearChatClient client, int seed, CancellationToken cancellationToken) =>
        client.GetResponseAsync("Tell me a story about a blue bear.", Options(seed), cancellationToken);

    private static IAsyncEnumerable<ChatResponseUpdate> Stream(
        KimiLinearChatClient client, int seed, CancellationToken cancellationToken) =>
        client.GetStreamingResponseAsync("Tell me a story about a blue bear.", Options(seed), cancellationToken);

    private static ChatOptions Options(int seed) => new() { Seed = seed, Temperature = 1, MaxOutputTokens = 40 };
}
