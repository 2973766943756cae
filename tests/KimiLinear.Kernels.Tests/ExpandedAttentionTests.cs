using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class ExpandedAttentionTests
{
    // Rows of 64 and of 128 tokens to a block, runs that end inside a context, queries whose length is no whole matrix.
    [Theory]
    [InlineData(1, 8, 8, 16, 8, false, 2, 64, 0, 1)]
    [InlineData(2, 16, 8, 24, 24, false, 2, 64, 60, 70)]
    [InlineData(2, 16, 8, 24, 24, true, 1, 64, 60, 70)]
    [InlineData(3, 32, 16, 48, 32, false, 1, 128, 5, 129)]
    [InlineData(1, 128, 64, 40, 128, false, 2, 128, 130, 65)]
    [InlineData(1, 128, 64, 40, 128, true, 1, 128, 130, 65)]
    [InlineData(2, 56, 8, 64, 72, true, 2, 256, 0, 64)]
    [InlineData(2, 8, 40, 8, 40, false, 1, 192, 300, 3)]
    public void AppendGatherExpandAttend_AnySizes_AreWithinTheRoundingOfTheirOperands(
        int heads, int keyDim, int sharedDim, int rank, int valueDim, bool isBFloat16, int partCount, int runKeys, int cached, int tokens)
    {
        LatentLayer layer = new(new Samples(), heads, keyDim, sharedDim, rank, valueDim, isBFloat16, [cached], [tokens]);
        using TestDevice device = new();
        ExpandedRun run = new(device, layer, partCount, runKeys);

        device.Run(run.Launch);

        Bounded.AssertAll(new BoundedAttention(layer, run.ReadCache(), partCount).Compute(), run.Output.Read<float>());
        Assert.Equal(0, device.BankConflicts);
    }

    // What the bound of the worst case does not see: errors of single values cancel.
    [Theory]
    [InlineData(1, 1e-2)]
    [InlineData(2, 2e-5)]
    public void AppendGatherExpandAttend_SeveralSequences_AreCloseToTheFormula(int partCount, double tolerance)
    {
        LatentLayer layer = new(new Samples(), 2, 32, 16, 48, 32, false, [0, 100, 3], [40, 33, 70], scale: 1);
        using TestDevice device = new();
        ExpandedRun run = new(device, layer, partCount, 64);

        device.Run(run.Launch);

        double[] cache = layer.ExpectedCache();
        Exact.AssertClose(layer.ExpectedOutput(cache), run.Output.Read<float>(), tolerance);
        Exact.AssertClose(cache, [.. run.ReadCache().Select(value => (float)value)]);
    }

    [Fact]
    public void ExpandedAttend_ScoresFarApart_NeitherOverflowNorVanish()
    {
        LatentLayer layer = new(new Samples(), 1, 16, 8, 40, 8, false, [150], [35], scale: 60);
        using TestDevice device = new();
        ExpandedRun run = new(device, layer, 2, 64);

        device.Run(run.Launch);

        Exact.AssertClose(layer.ExpectedOutput(run.ReadCache()), run.Output.Read<float>(), 5e-4);
    }

    [Fact]
    public void ExpandedAttend_RunThatEndsInsideATileBeforeTheLastToken_IsRefused()
    {
        LatentLayer layer = new(new Samples(), 1, 8, 8, 8, 8, false, [0], [100]);
        using TestDevice device = new();
        ExpandedRun run = new(device, layer, 1, 63);

        ArgumentException exception = Assert.Throws<ArgumentException>(run.Launch);

        Assert.Contains("must be a multiple of 64 or end with the last token", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(128, 64, 128, 512, true)]
    [InlineData(136, 64, 128, 512, false)]
    [InlineData(128, 64, 136, 512, false)]
    [InlineData(12, 8, 8, 8, false)]
    [InlineData(8, 8, 8, 12, false)]
    public void TakesLatents_Sizes_AreWholeLoadsThatRegistersAndSharedMemoryHold(
        int keyDim, int sharedDim, int valueDim, int rank, bool expected) =>
        Assert.Equal(expected, PrefillKernels.TakesLatents(keyDim, sharedDim, valueDim, rank));
}
