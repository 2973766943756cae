using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class GenerationEngineTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const int CallerCount = 64;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task GenerateAsync_ManyCallers_EachGetsWhatItGetsAlone(bool reusePrefixes)
    {
        using EngineHarness harness = new(tiny, new EngineOptions { ReusePrefixes = reusePrefixes, MaxSequences = 24 });
        int[][] alone = new int[CallerCount][];
        for (int i = 0; i < CallerCount; i++)
        {
            alone[i] = await harness.AloneAsync(i);
        }

        int[][] together = await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(i => harness.AskAsync(i)));

        Assert.Equal(alone, together);
        Assert.True(alone.Select(ids => string.Join(',', ids)).Distinct().Count() > CallerCount / 2, "The replies are too alike.");
        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal(CallerCount, statistics.CompletedCount);
        Assert.True(statistics.StepCount < CallerCount * 40 / 4, $"{statistics.StepCount} steps: requests were not computed together.");
    }

    [Fact]
    public async Task GenerateAsync_HalfCancelled_OthersEndAndMemoryIsFree()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { ReusePrefixes = false });
        int[][] alone = new int[CallerCount][];
        for (int i = 1; i < CallerCount; i += 2)
        {
            alone[i] = await harness.AloneAsync(i);
        }

        await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(async i =>
        {
            if (i % 2 == 1)
            {
                Assert.Equal(alone[i], await harness.AskAsync(i));
                return;
            }

            using CancellationTokenSource cancellation = new();
            int read = 0;
            OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (GeneratedToken token in harness.Engine.GenerateAsync(
                    harness.Prompt(i), EngineHarness.Options(i, maxTokens: 100_000), cancellation.Token))
                {
                    if (++read > i)
                    {
                        await cancellation.CancelAsync();
                    }
                }
            });
            Assert.Equal(cancellation.Token, error.CancellationToken);
        }));

        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal(CallerCount / 2, statistics.CompletedCount);
        Assert.Equal(CallerCount / 2, statistics.CancelledCount);
        Assert.Equal(0, statistics.FailedCount);
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task GenerateAsync_CancelledWhileThePromptIsRead_EndsWithoutReadingItAll()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { PieceTokens = 16 });
        int[] prompt = [.. Enumerable.Range(0, 200_000).Select(i => i % 1000)];
        using CancellationTokenSource cancellation = new();

        Task<int[]> reply = EngineHarness.ReadAsync(
            harness.Engine.GenerateAsync(prompt, EngineHarness.Options(1), cancellation.Token));
        while (harness.Engine.GetStatistics().PromptTokenCount == 0)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reply);
        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.InRange(harness.Engine.GetStatistics().PromptTokenCount, 1, prompt.Length - 1);
        Assert.Equal(1, harness.Engine.GetStatistics().CancelledCount);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1)]
    public async Task GenerateAsync_ReaderWhoStops_PausesItsOwnRequestOnlyAndGivesItsPlaceUp(int maxSequences)
    {
        using EngineHarness harness = new(tiny, new EngineOptions { ReadAheadTokens = 4, MaxSequences = maxSequences });
        IAsyncEnumerator<GeneratedToken> slow = harness.Engine
            .GenerateAsync(harness.Prompt(1), EngineHarness.Options(1, maxTokens: 30)).GetAsyncEnumerator(
                TestContext.Current.CancellationToken);
        List<int> read = [];
        await using (slow)
        {
            Assert.True(await slow.MoveNextAsync());
            read.Add(slow.Current.Id);

            int[] other = await harness.AskAsync(2).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

            Assert.Equal(await harness.AloneAsync(2), other);
            Assert.InRange(harness.Engine.GetStatistics().GeneratedTokenCount - other.Length, 2, 6);
            while (await slow.MoveNextAsync())
            {
                read.Add(slow.Current.Id);
            }
        }

        Assert.Equal(await harness.AloneAsync(1, maxTokens: 30), read);
    }

    [Fact]
    public async Task GenerateAsync_AnyNumberMayWait_IsServed()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxQueued = int.MaxValue });

        Assert.Equal(await harness.AloneAsync(1), await harness.AskAsync(1));
    }

    [Fact]
    public async Task GenerateAsync_TooManyWait_RefusesWithATimeToTryAgain()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxSequences = 1, MaxQueued = 1, ReadAheadTokens = 1 });
        IAsyncEnumerator<GeneratedToken> first = Start(1);
        IAsyncEnumerator<GeneratedToken> second = Start(2);
        await first.MoveNextAsync();
        ValueTask<bool> waits = second.MoveNextAsync();

        EngineOverloadedException error = await Assert.ThrowsAsync<EngineOverloadedException>(() => harness.AskAsync(3));

        Assert.True(error.RetryAfter >= TimeSpan.FromSeconds(1));
        Assert.Contains("no more than 2 may", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, harness.Engine.GetStatistics().RefusedCount);
        await first.DisposeAsync();
        Assert.True(await waits, "The one that waited does not get the place.");
        await second.DisposeAsync();
        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(await harness.AloneAsync(3), await harness.AskAsync(3));

        IAsyncEnumerator<GeneratedToken> Start(int number) => harness.Engine
            .GenerateAsync(harness.Prompt(number), EngineHarness.Options(number)).GetAsyncEnumerator();
    }

    [Fact]
    public async Task GenerateAsync_ProcessorThrows_FailsThatRequestOnly()
    {
        using EngineHarness harness = new(tiny);
        GenerationOptions faulty = EngineHarness.Options(1) with
        {
            SamplingOptions = new SamplingOptions { Processors = [new FaultyProcessor()] },
        };

        Task<int[]> good = harness.AskAsync(2);
        Task<int[]> bad = EngineHarness.ReadAsync(harness.Engine.GenerateAsync(harness.Prompt(1), faulty));

        await Assert.ThrowsAsync<TimeZoneNotFoundException>(() => bad);
        Assert.Equal(await harness.AloneAsync(2), await good);
        Assert.Equal(1, harness.Engine.GetStatistics().FailedCount);
    }

    [Fact]
    public async Task GenerateAsync_ProcessorsOfSomeOfManyThrow_TheOthersGetWhatTheyGetAlone()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxSequences = CallerCount });
        int[][] replies = await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(async i =>
        {
            if (i % 8 != 3)
            {
                return await harness.AskAsync(i);
            }

            GenerationOptions faulty = EngineHarness.Options(i);
            faulty = faulty with { SamplingOptions = faulty.SamplingOptions! with { Processors = [new FaultyProcessor(after: i)] } };
            await Assert.ThrowsAsync<TimeZoneNotFoundException>(
                () => EngineHarness.ReadAsync(harness.Engine.GenerateAsync(harness.Prompt(i), faulty)));
            return [];
        }));

        for (int i = 0; i < CallerCount; i++)
        {
            Assert.Equal(i % 8 == 3 ? [] : await harness.AloneAsync(i), replies[i]);
        }

        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal(CallerCount / 8, statistics.FailedCount);
        Assert.Equal(
            (40 * CallerCount * 7 / 8) + Enumerable.Range(0, CallerCount).Where(i => i % 8 == 3).Sum(i => Math.Min(i, 39)),
            statistics.GeneratedTokenCount);
    }

    [Fact]
    public async Task GenerateAsync_ManyRequestsInAStep_DrawTheirTokensOnSeveralThreads()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxSequences = CallerCount });
        using MeetingPlace place = new();
        await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(i =>
        {
            GenerationOptions options = EngineHarness.Options(i, maxTokens: 200);
            options = options with { SamplingOptions = options.SamplingOptions! with { Processors = [place] } };
            return EngineHarness.ReadAsync(harness.Engine.GenerateAsync(harness.Prompt(i), options));
        }));

        Assert.Equal(tiny.Model.ThreadCount > 1, place.HasSeenTwo);
    }

    [Fact]
    public async Task Dispose_RequestsInProgress_TheirReadersAreTold()
    {
        EngineHarness harness = new(tiny);
        IAsyncEnumerator<GeneratedToken> reply = harness.Engine
            .GenerateAsync(harness.Prompt(1), EngineHarness.Options(1, maxTokens: 100_000)).GetAsyncEnumerator(
                TestContext.Current.CancellationToken);
        await reply.MoveNextAsync();

        harness.Dispose();
        harness.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            while (await reply.MoveNextAsync())
            {
            }
        });
        Assert.Throws<ObjectDisposedException>(() => harness.Engine.GenerateAsync(harness.Prompt(1)));
        Assert.Equal(0, tiny.Model.SequenceCount);
    }

    [Fact]
    public async Task StopAsync_RequestsInProgress_EndAndNewOnesAreRefused()
    {
        using EngineHarness harness = new(tiny);
        Task<int[]> reply = harness.AskAsync(1, maxTokens: 300);
        while (harness.Engine.GetStatistics().RunningCount == 0)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Task stopped = harness.Engine.StopAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ObjectDisposedException>(() => harness.AskAsync(2));
        await stopped;
        Assert.Equal(300, (await reply).Length);
    }

    [Fact]
    public async Task GenerateAsync_TimingsOfTheReply_CountEveryToken()
    {
        using EngineHarness harness = new(tiny);
        GeneratedToken last = default;
        await foreach (GeneratedToken token in harness.Engine.GenerateAsync(harness.Prompt(1), EngineHarness.Options(1)))
        {
            Assert.Null(last.Timings);
            last = token;
        }

        Assert.Equal(harness.Prompt(1).Length, last.Timings!.PromptTokenCount);
        Assert.Equal(40, last.Timings.GeneratedTokenCount);
        Assert.Equal(0, last.Timings.CachedPromptTokenCount);
        Assert.True(last.Timings.TimeToFirstToken > TimeSpan.Zero && last.Timings.DecodeDuration > TimeSpan.Zero);
    }

    private sealed class FaultyProcessor(int after = 0) : ILogitsProcessor
    {
        private int _calls;

        public void Process(in LogitsContext context, Span<float> logits)
        {
            if (_calls++ >= Math.Min(after, 39))
            {
                throw new TimeZoneNotFoundException();
            }
        }
    }

    /// <summary>Waits a while for a second request to draw beside the first; once two were seen, no more.</summary>
    private sealed class MeetingPlace : ILogitsProcessor, IDisposable
    {
        private readonly ManualResetEventSlim _seenTwo = new();
        private int _inside;
        private int _calls;
        private int _waits;

        public bool HasSeenTwo => _seenTwo.IsSet;

        public void Dispose() => _seenTwo.Dispose();

        public void Process(in LogitsContext context, Span<float> logits)
        {
            if (Interlocked.Increment(ref _inside) > 1)
            {
                _seenTwo.Set();
            }

            // While requests still join there may be too few for several threads. Bounded, should they never meet.
            if (Interlocked.Increment(ref _calls) > 20 * CallerCount && Interlocked.Increment(ref _waits) <= 200)
            {
                _seenTwo.Wait(TimeSpan.FromMilliseconds(100));
            }

            Interlocked.Decrement(ref _inside);
        }
    }
}
