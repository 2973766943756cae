using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class EngineMemoryTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const int CallerCount = 12;

    private long SlotBytes => tiny.Model.SlotBytes;

    private long PageBytes => tiny.Model.PageBytes;

    [Fact]
    public async Task GenerateAsync_RoomForFewSequences_OthersWaitAndNothingIsLost()
    {
        long bytes = 3 * (SlotBytes + (2 * PageBytes));
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = bytes });
        int[][] alone = new int[CallerCount][];
        for (int i = 0; i < CallerCount; i++)
        {
            alone[i] = await harness.AloneAsync(i);
        }

        int[][] together = await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(i => harness.AskAsync(i)));

        Assert.Equal(alone, together);
        Assert.InRange(harness.Engine.GetStatistics().MemoryBytes, 0, bytes);
        Assert.Equal(0, harness.Engine.GetStatistics().PreemptedCount);
    }

    [Fact]
    public async Task GenerateAsync_RepliesOutgrowTheMemory_TheYoungestBeginAgainAndEndTheSame()
    {
        // Each reserves 1,024 tokens of its reply and then writes more: two fit at first, and not to the end.
        const int ReplyTokens = 1500;
        long reserved = SlotBytes + (CacheLayout.PagesFor(1024 + 64) * PageBytes);
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = 2 * reserved, ReusePrefixes = false });
        int[][] alone = [await harness.AloneAsync(1, ReplyTokens), await harness.AloneAsync(2, ReplyTokens)];

        int[][] together = await Task.WhenAll(harness.AskAsync(1, ReplyTokens), harness.AskAsync(2, ReplyTokens));

        Assert.True(harness.Engine.GetStatistics().PreemptedCount > 0, "Nothing had to give way, so the test shows nothing.");
        Assert.Equal(alone, together);
    }

    // A program that reads one reply to its end before it goes on with another.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task GenerateAsync_ReadersAreBehindAndMemoryIsFull_AnotherGetsItAndTheyGoOn(int pausedCount)
    {
        long reserved = SlotBytes + (CacheLayout.PagesFor(100 + 64) * PageBytes);
        using EngineHarness harness = new(
            tiny, new EngineOptions { MemoryBytes = pausedCount * reserved, ReusePrefixes = false, ReadAheadTokens = 2 });
        List<IAsyncEnumerator<GeneratedToken>> paused = [];
        for (int i = 0; i < pausedCount; i++)
        {
            paused.Add(harness.Engine.GenerateAsync(harness.Prompt(i), EngineHarness.Options(i, 100)).GetAsyncEnumerator());
            Assert.True(await paused[i].MoveNextAsync());
        }

        while (harness.Engine.GetStatistics().PausedCount < pausedCount)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        int[] other = await harness.AskAsync(9, 100).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Assert.Equal(await harness.AloneAsync(9, 100), other);
        Assert.True(harness.Engine.GetStatistics().PreemptedCount > 0, "Nothing had to give way, so the test shows nothing.");
        for (int i = 0; i < pausedCount; i++)
        {
            List<int> ids = [paused[i].Current.Id];
            while (await paused[i].MoveNextAsync())
            {
                ids.Add(paused[i].Current.Id);
            }

            await paused[i].DisposeAsync();
            Assert.Equal(await harness.AloneAsync(i, 100), ids);
        }
    }

    [Fact]
    public async Task GenerateAsync_MemoryLostToAnother_IsNotReadAgainForAReaderWhoTakesATokenNowAndThen()
    {
        const int ReadAhead = 8;
        long reserved = SlotBytes + (CacheLayout.PagesFor(100 + 64) * PageBytes);
        using EngineHarness harness = new(
            tiny, new EngineOptions { MemoryBytes = reserved, ReusePrefixes = false, ReadAheadTokens = ReadAhead });
        IAsyncEnumerator<GeneratedToken> slow = harness.Engine
            .GenerateAsync(harness.Prompt(1), EngineHarness.Options(1, 100))
            .GetAsyncEnumerator(TestContext.Current.CancellationToken);
        List<int> ids = [];
        await ReadAsync();
        while (harness.Engine.GetStatistics().PausedCount == 0)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        int promptTokens = harness.Prompt(1).Length;
        foreach (int other in (int[])[2, 3, 4])
        {
            await harness.AskAsync(other, 100).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            promptTokens += harness.Prompt(other).Length;
            // What is read again counts as read: nothing was, for one token that its reader took.
            Assert.Equal(promptTokens, harness.Engine.GetStatistics().PromptTokenCount);
            await ReadAsync();
        }

        Assert.Equal(1, harness.Engine.GetStatistics().PreemptedCount);
        while (ids.Count < 100)
        {
            await ReadAsync();
        }

        await slow.DisposeAsync();
        Assert.Equal(await harness.AloneAsync(1, 100), ids);

        async Task ReadAsync()
        {
            Assert.True(await slow.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
            ids.Add(slow.Current.Id);
        }
    }

    [Fact]
    public async Task GenerateAsync_ReplyOutgrowsWhatWasSetAsideBesideAPausedOne_ThePausedOneGivesWay()
    {
        EngineOptions options = new()
        {
            MemoryBytes = (2 * SlotBytes) + (24 * PageBytes),
            ReadAheadTokens = 100,
            ReusePrefixes = false,
        };
        using EngineHarness harness = new(tiny, options);
        IAsyncEnumerator<GeneratedToken> paused = harness.Engine
            .GenerateAsync(harness.Prompt(1), EngineHarness.Options(1, maxTokens: 200))
            .GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await paused.MoveNextAsync());
        while (harness.Engine.GetStatistics().PausedCount == 0)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        int[] other = await harness.AskAsync(9, 1_500).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        Assert.Equal(await harness.AloneAsync(9, 1_500), other);
        Assert.Equal(1, harness.Engine.GetStatistics().PreemptedCount);
        List<int> ids = [paused.Current.Id];
        while (await paused.MoveNextAsync())
        {
            ids.Add(paused.Current.Id);
        }

        await paused.DisposeAsync();
        Assert.Equal(await harness.AloneAsync(1, 200), ids);
    }

    [Fact]
    public async Task GenerateAsync_OneOutgrowsTheMemory_ItAloneFails()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = SlotBytes + (2 * PageBytes) });

        InsufficientMemoryException error = await Assert.ThrowsAsync<InsufficientMemoryException>(
            () => harness.AskAsync(1, maxTokens: 2000));

        Assert.Contains("Raise MemoryBytes", error.Message, StringComparison.Ordinal);
        Assert.Equal(await harness.AloneAsync(2), await harness.AskAsync(2));
    }

    [Fact]
    public void GenerateAsync_PromptThatNeverFits_IsRefusedAtOnce()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = SlotBytes + PageBytes });

        InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(
            () => harness.Engine.GenerateAsync(new int[1000]));

        Assert.Contains("The prompt of 1,000 tokens needs", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Engine_NoRoomForASingleToken_IsRefused()
    {
        long least = SlotBytes + PageBytes;

        ArgumentException error = Assert.Throws<ArgumentException>(
            () => new EngineHarness(tiny, new EngineOptions { MemoryBytes = least - 1 }));

        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"may hold {least - 1:N0} bytes"), error.Message, StringComparison.Ordinal);
        Assert.Contains("Raise MemoryBytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerateAsync_PromptBeyondTheEnginesContext_IsRefusedAtOnce()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxContextTokens = 100 });

        ArgumentException error = Assert.Throws<ArgumentException>(() => harness.Engine.GenerateAsync(new int[101]));

        Assert.Contains("at most 100", error.Message, StringComparison.Ordinal);
        Assert.Equal("promptTokenIds", error.ParamName);
    }

    [Fact]
    public void Engine_ContextLongerThanTheModels_IsRefused()
    {
        int most = tiny.Model.Config.MaxContextTokens;
        using (EngineHarness whole = new(tiny, new EngineOptions { MaxContextTokens = most }))
        {
            Assert.Equal(most, whole.Engine.MaxContextTokens);
        }

        ArgumentException error = Assert.Throws<ArgumentException>(
            () => new EngineHarness(tiny, new EngineOptions { MaxContextTokens = most + 1 }));

        Assert.Contains("MaxContextTokens is 1,048,577, but the model reads at most 1,048,576", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateAsync_ReplyReachesTheEnginesContext_EndsForThatReason()
    {
        using EngineHarness harness = new(tiny, new EngineOptions { MaxContextTokens = 60 });

        int[] reply = await harness.AskAsync(1, maxTokens: 1000);

        // The last token is drawn and no longer read.
        Assert.Equal(60, harness.Prompt(1).Length + reply.Length - 1);
    }
}
