using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class TopPProcessorTests
{
    // Probabilities of one half, one quarter and two eighths.
    private static readonly float[] Halving = [MathF.Log(0.125f), MathF.Log(0.5f), MathF.Log(0.125f), MathF.Log(0.25f)];

    [Theory]
    [InlineData(float.Epsilon, new[] { 1 })]
    [InlineData(0.49f, new[] { 1 })]
    [InlineData(0.51f, new[] { 1, 3 })]
    [InlineData(0.74f, new[] { 1, 3 })]
    [InlineData(0.76f, new[] { 0, 1, 3 })]
    [InlineData(0.87f, new[] { 0, 1, 3 })]
    [InlineData(0.88f, new[] { 0, 1, 2, 3 })]
    public void Process_HalvingProbabilities_KeepsTheFewestThatReachP(float p, int[] kept) =>
        Assert.Equal(kept, ProcessorHarness.Kept(new TopPProcessor(p, 4), Halving));

    [Theory]
    [InlineData(0.1f, 1)]
    [InlineData(0.11f, 2)]
    [InlineData(0.3f, 3)]
    [InlineData(0.6f, 6)]
    [InlineData(0.7f, 7)]
    [InlineData(0.9f, 9)]
    [InlineData(0.91f, 10)]
    public void Process_TenEqualTokens_CountsTheBoundaryInAndTakesLowerIndices(float p, int count) =>
        Assert.Equal(Enumerable.Range(0, count), ProcessorHarness.Kept(new TopPProcessor(p, 10), new float[10]));

    [Fact]
    public void Process_KeptTokens_KeepTheirScores()
    {
        const float Masked = ProcessorHarness.Masked;

        Assert.Equal([Masked, 9, 8], ProcessorHarness.Run(new TopPProcessor(0.9f, 3), [-20, 9, 8]));
    }

    [Fact]
    public void Process_DemandedToken_IsAllThatStays() =>
        Assert.Equal([1], ProcessorHarness.Kept(new TopPProcessor(0.9f, 3), [50, float.PositiveInfinity, 50]));

    [Fact]
    public void Process_LargestPBelowOne_KeepsEveryTokenThatWeighsEnoughToCount()
    {
        float p = MathF.BitDecrement(1);

        Assert.Equal([0, 1, 2], ProcessorHarness.Kept(new TopPProcessor(p, 4), [0, 0, 0, -200]));
    }

    [Fact]
    public void Process_AnyLogits_KeepsWhatSortingThemKeeps()
    {
        Gen<float> logit = Gen.OneOf(
            Gen.Choose(-3, 3).Select(x => (float)x),
            Gen.Choose(-100_000, 100_000).Select(x => x / 7777f),
            Gen.Elements(-0f, ProcessorHarness.Masked));
        Gen<(float[] Logits, float P)> cases =
            from first in Gen.Choose(-5, 5)
            from logits in logit.ListOf()
            from p in Gen.Choose(1, 999)
            select (logits.Prepend(first).ToArray(), p / 1000f);

        Prop.ForAll(Arb.From(cases), given =>
        {
            int[] kept = ProcessorHarness.Kept(new TopPProcessor(given.P, given.Logits.Length), given.Logits);

            Assert.Equal(KeptBySorting(given.Logits, given.P).Order(), kept);
        }).QuickCheckThrowOnFailure();
    }

    private static List<int> KeptBySorting(float[] logits, float p)
    {
        double max = logits.Max();
        double total = logits.Sum(logit => Math.Exp(logit - max));
        List<int> kept = [];
        double mass = 0;
        foreach (int i in Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i] == 0 ? 0 : logits[i]))
        {
            kept.Add(i);
            mass += Math.Exp(logits[i] - max);
            if ((float)(mass / total) >= p)
            {
                break;
            }
        }

        return kept;
    }
}
