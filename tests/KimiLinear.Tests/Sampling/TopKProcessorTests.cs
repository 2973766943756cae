using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class TopKProcessorTests
{
    [Fact]
    public void Process_TwoOfFive_KeepsTheHighestWithTheirScores()
    {
        float[] processed = ProcessorHarness.Run(new TopKProcessor(2), [0.5f, -1, 3, 2, 2.5f]);

        const float Masked = ProcessorHarness.Masked;
        Assert.Equal([Masked, Masked, 3, Masked, 2.5f], processed);
    }

    [Fact]
    public void Process_TieAtTheThreshold_KeepsTheLowerIndices()
    {
        Assert.Equal([1, 2, 4], ProcessorHarness.Kept(new TopKProcessor(3), [0, 1, 2, 0, 1, 1]));
        Assert.Equal([0, 1], ProcessorHarness.Kept(new TopKProcessor(2), [-0f, 0f, -0f, 0f]));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    public void Process_AsManyAsThereAre_ChangesNothing(int k) =>
        Assert.Equal([1, 2, 3], ProcessorHarness.Run(new TopKProcessor(k), [1, 2, 3]));

    [Fact]
    public void Process_MoreThanAreAllowed_LeavesTheForbiddenForbidden()
    {
        const float Masked = ProcessorHarness.Masked;

        Assert.Equal([0, 3], ProcessorHarness.Kept(new TopKProcessor(3), [1, Masked, Masked, 2]));
    }

    [Fact]
    public void Process_CalledTwice_StartsAfresh()
    {
        var processor = new TopKProcessor(1);

        Assert.Equal([1], ProcessorHarness.Kept(processor, [1, 2, 0]));
        Assert.Equal([2], ProcessorHarness.Kept(processor, [1, 2, 9]));
    }

    [Fact]
    public void Process_AnyLogits_KeepsWhatSortingThemKeeps()
    {
        Gen<float> logit = Gen.OneOf(
            Gen.Choose(-3, 3).Select(x => (float)x),
            Gen.Choose(-100_000, 100_000).Select(x => x / 777f),
            Gen.Elements(float.PositiveInfinity, 1e-40f, -0f, 3e38f));
        Gen<(float[] Logits, int K)> cases =
            from logits in logit.NonEmptyListOf()
            from k in Gen.Choose(1, logits.Count)
            select (logits.ToArray(), k);

        Prop.ForAll(Arb.From(cases), given =>
        {
            // OrderBy is stable, so ties keep the order of their indices.
            IEnumerable<int> sorted = Enumerable.Range(0, given.Logits.Length)
                .OrderByDescending(i => given.Logits[i] == 0 ? 0 : given.Logits[i]).Take(given.K).Order();
            Assert.Equal(sorted, ProcessorHarness.Kept(new TopKProcessor(given.K), given.Logits));
        }).QuickCheckThrowOnFailure();
    }
}
