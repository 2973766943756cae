using KimiLinear.Caching;
using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class EngineRequestTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const int ReadAheadTokens = 8;

    [Fact]
    public async Task MayGoOn_MemoryLostWhileTheReaderWasBehind_OnlyOnceItHasCaughtUpByHalf()
    {
        int wakings = 0;
        EngineRequest request = Create(() => wakings++);
        request.Admit(tiny.Model.CreateSequence(), ticket: 0);
        Draw(request, ReadAheadTokens);
        Assert.True(request.IsPaused);
        request.Preempt();
        await using IAsyncEnumerator<GeneratedToken> reader =
            request.ReadAllAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);

        bool[] mayGoOn = new bool[ReadAheadTokens + 1];
        int[] woken = new int[ReadAheadTokens + 1];
        for (int read = 0; read <= ReadAheadTokens; read++)
        {
            Assert.True(read == 0 || await reader.MoveNextAsync());
            (mayGoOn[read], woken[read]) = (request.MayGoOn, wakings);
        }

        Assert.Equal([false, false, false, false, true, true, true, true, true], mayGoOn);
        // Whoever waits for its place is not woken in vain, but once when it may go on.
        Assert.Equal([0, 1, 1, 1, 2, 2, 2, 2, 2], woken);
        request.Complete();
    }

    [Fact]
    public async Task MayGoOn_PlaceGotBackAndReaderBehindAgain_AsForAnyOther()
    {
        EngineRequest request = Create(() => { });
        request.Admit(tiny.Model.CreateSequence(), ticket: 0);
        Draw(request, ReadAheadTokens);
        request.Preempt();
        await using IAsyncEnumerator<GeneratedToken> reader =
            request.ReadAllAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        for (int read = 0; read < ReadAheadTokens / 2; read++)
        {
            Assert.True(await reader.MoveNextAsync());
        }

        request.Admit(tiny.Model.CreateSequence(), ticket: 1);
        Draw(request, (ReadAheadTokens / 2) - 1);

        Assert.True(request.MayGoOn);
        Assert.False(request.IsPaused);
        Draw(request, 1);
        Assert.True(request.IsPaused);
        request.Complete();
    }

    // What a request took is set aside for it, or it would be let in again to lose its memory again.
    [Fact]
    public void BytesFor_MoreTokensThanWereSetAside_AreThoseItTookOrLost()
    {
        MemoryBudget budget = new(tiny.Model, prefixes: null, long.MaxValue);
        EngineRequest request = Create(tiny, [1, 2, 3], () => { });
        Assert.Equal(budget.BytesOf(3 + MemoryBudget.ReservedReplyTokens), budget.BytesFor(request));

        SequenceState sequence = tiny.Model.CreateSequence();
        sequence.AppendUnseen(1500);
        request.Admit(sequence, ticket: 0);
        Assert.Equal(budget.BytesOf(1500), budget.BytesFor(request));

        Draw(request, 1200);
        request.Preempt();
        Assert.Equal(budget.BytesOf(3 + 1200), budget.BytesFor(request));
    }

    internal static EngineRequest Create(TinyModel tiny, int[] prompt, Action wake, string? caller = null) => new(
        prompt,
        EngineHarness.Options(1, maxTokens: 5000) with { Caller = caller },
        new Reply(prompt, EngineHarness.Options(1, maxTokens: 5000), tiny.Tokenizer, tiny.Model.Config.VocabularySize),
        ReadAheadTokens,
        wake);

    private EngineRequest Create(Action wake) => Create(tiny, [1, 2, 3], wake);

    private void Draw(EngineRequest request, int count)
    {
        for (int i = 0; i < count; i++)
        {
            request.TakeLogits(new float[tiny.Model.Config.VocabularySize], maxContextTokens: 10_000, TimeSpan.Zero, out _);
        }
    }
}
