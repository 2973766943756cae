using KimiLinear.Generation;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class LongPromptCopiesTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    [Fact]
    public void Add_PromptOfAMillion_KeepsAFewEvenlySpread()
    {
        LongPromptCopies copies = new(0);
        HashSet<int> kept = [];
        for (int length = 512; length <= 1 << 20; length += 512)
        {
            if (copies.IsDue(length))
            {
                kept.Add(length);
                kept.ExceptWith(copies.Add(length));
            }

            Assert.InRange(kept.Count, 0, LongPromptCopies.MaxCount);
        }

        int[] lengths = [.. kept.Order()];
        int[] gaps = [.. lengths.Zip(lengths.Prepend(0), (next, last) => next - last)];
        Assert.InRange(lengths.Length, LongPromptCopies.MaxCount / 2, LongPromptCopies.MaxCount);
        Assert.Single(gaps.Distinct());
    }

    [Fact]
    public void IsDue_ResumedPrompt_NotForWhatIsResumed()
    {
        LongPromptCopies copies = new(10_000);

        Assert.False(copies.IsDue(16_000));
        Assert.True(copies.IsDue(16_384));
    }

    [Fact]
    public async Task GenerateAsync_LongPromptThatDiffersLate_IsResumedInside()
    {
        using EngineHarness harness = new(tiny);
        int[] first = [.. Enumerable.Range(0, LongPromptCopies.FirstSpacing + 700).Select(i => i * 7 % 1000)];
        int[] second = [.. first];
        second[^600] = 999;

        await EngineHarness.ReadAsync(harness.Engine.GenerateAsync(first, EngineHarness.Options(1, maxTokens: 2)));
        GeneratedToken last = await harness.Engine
            .GenerateAsync(second, EngineHarness.Options(1, maxTokens: 2), TestContext.Current.CancellationToken)
            .LastAsync(TestContext.Current.CancellationToken);

        Assert.Equal(LongPromptCopies.FirstSpacing, last.Timings!.CachedPromptTokenCount);
    }
}
