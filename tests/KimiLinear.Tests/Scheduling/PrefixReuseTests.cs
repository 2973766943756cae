using KimiLinear.Caching;
using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class PrefixReuseTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    [Fact]
    public async Task GenerateAsync_SecondTurnOfAConversation_ReadsItsNewTokensOnly()
    {
        using EngineHarness harness = new(tiny);
        int[] prompt = harness.Prompt(1);
        int[] reply = await harness.AskAsync(1);
        int[] second = [.. prompt, .. reply, .. tiny.Ask("And in Rome?")];

        GeneratedToken last = await LastAsync(harness, second);

        // The first reply's last token was drawn and not read.
        Assert.Equal(prompt.Length + reply.Length - 1, last.Timings!.CachedPromptTokenCount);
    }

    [Fact]
    public async Task GenerateAsync_SecondTurnResumed_SameReplyAsReadAnew()
    {
        using EngineHarness harness = new(tiny);
        int[] reply = await harness.AskAsync(1);
        int[] second = [.. harness.Prompt(1), .. reply, .. tiny.Ask("And in Rome?")];

        int[] resumed = await EngineHarness.ReadAsync(harness.Engine.GenerateAsync(second, EngineHarness.Options(5)));

        Assert.Equal(
            await EngineHarness.ReadAsync(tiny.CreateGenerator().GenerateAsync(second, EngineHarness.Options(5))), resumed);
    }

    [Fact]
    public async Task GenerateAsync_SamePromptAgain_IsResumedAtItsLastWholePage()
    {
        using EngineHarness harness = new(tiny);
        int[] prompt = [.. harness.Prompt(1), .. harness.Prompt(2), .. harness.Prompt(3), .. harness.Prompt(4)];
        int wholePages = (prompt.Length - 1) / 64 * 64;
        int[] cached = new int[3];
        for (int i = 0; i < cached.Length; i++)
        {
            cached[i] = (await LastAsync(harness, prompt)).Timings!.CachedPromptTokenCount;
        }

        Assert.True(wholePages > 0, "The prompt is shorter than a page.");
        Assert.Equal([0, 0, wholePages], cached);
    }

    [Fact]
    public async Task GenerateAsync_LongInstructionsInCommon_AreResumedFromTheThirdOn()
    {
        using EngineHarness harness = new(tiny);
        int[] common = [.. Enumerable.Range(0, 300).Select(i => (i * 7) % 1000)];
        int[] cached = new int[4];
        for (int i = 0; i < cached.Length; i++)
        {
            cached[i] = (await LastAsync(harness, [.. common, .. harness.Prompt(i)])).Timings!.CachedPromptTokenCount;
        }

        // The second finds out where they part, in whole pages of 64 tokens, and leaves a copy there.
        Assert.Equal([0, 0, 256, 256], cached);
    }

    [Fact]
    public async Task GenerateAsync_LittleMemory_DropsTheOldestCopies()
    {
        long bytes = 4 * (tiny.Model.SlotBytes + (3 * tiny.Model.PageBytes));
        using EngineHarness harness = new(tiny, new EngineOptions { MemoryBytes = bytes });

        for (int i = 0; i < 12; i++)
        {
            await harness.AskAsync(i, maxTokens: 5);
            await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
            Assert.InRange(tiny.Model.UsedSequenceBytes, 1, bytes);
        }

        Assert.InRange(harness.Engine.GetStatistics().PrefixCount, 1, 8);
    }

    [Fact]
    public void Keep_ManyCopies_NoneHasATableForTheLongestContext()
    {
        const int CopyCount = 200;
        using SequenceState sequence = tiny.Model.CreateSequence();
        tiny.Model.Forward(sequence, [.. Enumerable.Range(0, 20)], []);
        int[][] keys = [.. Enumerable.Range(0, CopyCount).Select(i => Enumerable.Range(i * 100, 20).ToArray())];
        using PrefixCache prefixes = new(tiny.Model, folder: null);
        prefixes.Keep(Enumerable.Range(1, 20).ToArray(), sequence);

        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (int[] key in keys)
        {
            prefixes.Keep(key, sequence);
        }

        // A table for a million tokens takes 64 KiB.
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / CopyCount, 1, 8192);
        Assert.Equal(CopyCount + 1, prefixes.Count);
    }

    [Fact]
    public async Task Dispose_KeptCopies_AreFreed()
    {
        using (EngineHarness harness = new(tiny))
        {
            await harness.AskAsync(1);
            Assert.NotEqual(0, tiny.Model.SequenceCount);
        }

        Assert.Equal(0, tiny.Model.SequenceCount);
        Assert.Equal(0, tiny.Model.UsedSequenceBytes);
    }

    private static async Task<GeneratedToken> LastAsync(EngineHarness harness, int[] prompt)
    {
        GeneratedToken last = default;
        await foreach (GeneratedToken token in harness.Engine.GenerateAsync(prompt, EngineHarness.Options(3, maxTokens: 8)))
        {
            last = token;
        }

        return last;
    }
}
