using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class EngineFairnessTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const int PieceTokens = 16;

    // Once whoever comes new started where the one stands whose reader has stopped, before all who had worked since.
    [Fact]
    public async Task GenerateAsync_AReaderStoppedLongAgo_NewCallersDoNotComeBeforeThoseWhoWork()
    {
        const int ReadAhead = 32;
        using EngineHarness harness = new(tiny, new EngineOptions
        {
            PieceTokens = PieceTokens,
            MaxStepTokens = PieceTokens,
            PrefillShare = 0.9,
            ReadAheadTokens = ReadAhead,
            MaxDraftTokens = 0,
            ReusePrefixes = false,
        });
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await using IAsyncEnumerator<GeneratedToken> stopped = Ask("stopped", pieces: 1, maxTokens: 1000).GetAsyncEnumerator(end.Token);
        Assert.True(await stopped.MoveNextAsync());
        while (harness.Engine.GetStatistics().GeneratedTokenCount < 1 + ReadAhead)
        {
            await Task.Delay(5, end.Token);
        }

        await using IAsyncEnumerator<GeneratedToken> working = Ask("working", pieces: 300, maxTokens: 100_000).GetAsyncEnumerator(end.Token);
        Assert.True(await working.MoveNextAsync());
        Task writing = Task.Run(async () =>
        {
            while (await working.MoveNextAsync())
            {
            }
        });
        Task late = EngineHarness.ReadAsync(Ask("late", pieces: 100, maxTokens: 1));
        Task other = EngineHarness.ReadAsync(Ask("working", pieces: 10, maxTokens: 1));

        Task first = await Task.WhenAny(late, other);

        await Task.WhenAll(late, other);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);
        Assert.Same(other, first);

        IAsyncEnumerable<GeneratedToken> Ask(string caller, int pieces, int maxTokens) => harness.Engine.GenerateAsync(
            Enumerable.Range(0, pieces * PieceTokens).Select(i => i % 1000).ToArray(),
            EngineHarness.Options(1, maxTokens) with { Caller = caller });
    }
}
