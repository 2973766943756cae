using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class MinPProcessorTests
{
    // Probabilities in the ratio 8 : 4 : 2 : 1; the shift stands for whatever normalises them.
    private static readonly float[] Halving = [MathF.Log(1), MathF.Log(2), MathF.Log(8), MathF.Log(4)];

    [Theory]
    [InlineData(0.01f, new[] { 0, 1, 2, 3 })]
    [InlineData(0.13f, new[] { 1, 2, 3 })]
    [InlineData(0.24f, new[] { 1, 2, 3 })]
    [InlineData(0.26f, new[] { 2, 3 })]
    [InlineData(0.49f, new[] { 2, 3 })]
    [InlineData(0.51f, new[] { 2 })]
    [InlineData(1f, new[] { 2 })]
    public void Process_HalvingProbabilities_KeepsTheShareOfTheHighest(float minP, int[] kept) =>
        Assert.Equal(kept, ProcessorHarness.Kept(new MinPProcessor(minP), Halving));

    [Fact]
    public void Process_ExactlyAtTheShare_Stays()
    {
        Assert.Equal([0, 1], ProcessorHarness.Kept(new MinPProcessor(0.5f), [0, MathF.Log(0.5f), MathF.Log(0.49f)]));
        Assert.Equal([0, 2], ProcessorHarness.Kept(new MinPProcessor(1), [3, 2.9f, 3]));
    }

    [Fact]
    public void Process_ForbiddenToken_StaysForbidden() =>
        Assert.Equal([1], ProcessorHarness.Kept(new MinPProcessor(0.01f), [ProcessorHarness.Masked, 0]));
}
