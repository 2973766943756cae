using KimiLinear.Model;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

public sealed class DisposalTests(TinyModel tiny)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Dispose_Twice_DoesNothingMore()
    {
        KimiLinearChatClient client = KimiLinearChatClient.Load(TinyModel.Folder);

        client.Dispose();
        client.Dispose();
        await client.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => { client.GetService<KimiLinearModel>()!.CreateSequence(); });
    }

    [Fact]
    public async Task GetResponseAsync_Disposed_Throws()
    {
        KimiLinearChatClient client = tiny.CreateClient();
        IAsyncEnumerable<ChatResponseUpdate> asked = client.GetStreamingResponseAsync("Hello!");

        await client.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Hello!"));
        Assert.Throws<ObjectDisposedException>(() => { client.GetStreamingResponseAsync("Hello!"); });
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await asked.ToChatResponseAsync());
    }

    [Fact]
    public void Dispose_ClientOverACallersModel_LeavesTheModel()
    {
        tiny.CreateClient().Dispose();

        using Caching.SequenceState sequence = tiny.Model.CreateSequence();
        Assert.Equal(0, sequence.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Dispose_UnderLoad_EndsEveryRequest(bool ownsModel)
    {
        using KimiLinearChatClient client = ownsModel
            ? KimiLinearChatClient.Load(
                new KimiLinearChatClientOptions { ModelPath = TinyModel.Folder, MaxConcurrentRequests = 4 })
            : tiny.CreateClient(new KimiLinearChatClientOptions { MaxConcurrentRequests = 4 });
        TaskCompletionSource isRunning = new();
        Task[] requests = [.. Enumerable.Range(0, 12).Select(ReadAsync)];
        await isRunning.Task.WaitAsync(Patience);

        await client.DisposeAsync().AsTask().WaitAsync(Patience);

        foreach (Task request in requests)
        {
            ObjectDisposedException exception =
                await Assert.ThrowsAsync<ObjectDisposedException>(() => request.WaitAsync(Patience));
            Assert.Equal(nameof(KimiLinearChatClient), exception.ObjectName);
        }

        async Task ReadAsync(int seed)
        {
            // Without a token that ends it, a reply lasts until the client goes.
            ChatOptions options = new()
            {
                Seed = seed,
                RawRepresentationFactory = _ => new Generation.GenerationOptions { StopTokenIds = [] },
            };
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Hello!", options))
            {
                isRunning.TrySetResult();
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Dispose_ReaderThatStoppedReading_DoesNotWaitForIt(bool ownsModel)
    {
        KimiLinearChatClient client = ownsModel ? KimiLinearChatClient.Load(TinyModel.Folder) : tiny.CreateClient();
        await using IAsyncEnumerator<ChatResponseUpdate> stalled =
            client.GetStreamingResponseAsync("Count to 14.", TinyModel.Greedy()).GetAsyncEnumerator();
        Assert.True(await stalled.MoveNextAsync());

        await Task.Run(client.Dispose).WaitAsync(Patience);

        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            while (await stalled.MoveNextAsync())
            {
            }
        });
    }

    [Fact]
    public async Task Dispose_CallerCancelledToo_ThrowsTheCallersCancellation()
    {
        using CancellationTokenSource cancellation = new();
        KimiLinearChatClient client = tiny.CreateClient();
        await using IAsyncEnumerator<ChatResponseUpdate> reader =
            client.GetStreamingResponseAsync("Count to 14.", TinyModel.Greedy(), cancellation.Token).GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());

        await cancellation.CancelAsync();
        await client.DisposeAsync();

        OperationCanceledException exception =
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reader.MoveNextAsync());
        Assert.Equal(cancellation.Token, exception.CancellationToken);
    }
}
