using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class LatentAttentionTests
{
    [Theory]
    [InlineData(3, 12, 5, 21, 7, false, 1, 0, 70, 63, 64)]
    [InlineData(3, 12, 5, 21, 7, true, 5, 0, 70, 63, 64)]
    [InlineData(4, 32, 16, 64, 32, false, 3, 1, 15, 16, 17, 200)]
    [InlineData(4, 32, 16, 64, 32, true, 40, 127, 128)]
    [InlineData(9, 16, 32, 200, 24, true, 4, 100, 3)]
    [InlineData(32, 128, 64, 512, 128, true, 6, 90)]
    [InlineData(5, 20, 8, 56, 8, true, 5, 700, 65)]
    [InlineData(2, 9, 3, 26, 8, false, 9, 450)]
    [InlineData(33, 8, 8, 128, 8, false, 2, 33)]
    [InlineData(5, 16, 64, 1024, 16, false, 3, 70, 4)]
    public void PrepareAttendCombine_AnySizes_MatchFormula(
        int heads, int keyDim, int sharedDim, int rank, int valueDim, bool isBFloat16, int splits, params int[] cached)
    {
        LatentLayer layer = new(new Samples(), heads, keyDim, sharedDim, rank, valueDim, isBFloat16, cached, [1]);
        using TestDevice device = new();
        LatentRun run = new(device, layer, splits);

        device.Run(run.Launch);

        double[] cache = layer.ExpectedCache();
        AssertCache(layer, cache, run.ReadCache());
        Exact.AssertClose(layer.ExpectedOutput(run.ReadCache()), run.Output.Read<float>());
    }

    [Fact]
    public void PrepareAttendCombine_SeveralTokensOfASequence_SeeWhatCameBefore()
    {
        LatentLayer layer = new(new Samples(), 3, 12, 5, 21, 7, false, [62, 5, 0], [4, 1, 3]);
        using TestDevice device = new();
        LatentRun run = new(device, layer, 4);

        device.Run(run.Launch);

        Exact.AssertClose(layer.ExpectedOutput(run.ReadCache()), run.Output.Read<float>());
    }

    [Fact]
    public void PrepareAttendCombine_ScoresFarApart_NeitherOverflowNorVanish()
    {
        LatentLayer layer = new(new Samples(), 2, 16, 8, 40, 8, false, [300], [1], scale: 60);
        using TestDevice device = new();
        LatentRun run = new(device, layer, 7);

        device.Run(run.Launch);

        Exact.AssertClose(layer.ExpectedOutput(run.ReadCache()), run.Output.Read<float>(), 1e-4);
    }

    [Fact]
    public void Graph_RecordedOnce_ServesEveryLength()
    {
        const int Steps = 70;
        LatentLayer layer = new(new Samples(), 3, 12, 8, 40, 8, false, [0], [Steps]);
        using TestDevice device = new();
        LatentRun together = new(device, layer, 3);
        LatentRun stepwise = new(device, layer.FirstToken(), 3);
        together.Launch();

        using CudaGraph graph = new(device.Device, device.Stream, stepwise.Launch);
        for (int t = 0; t < Steps; t++)
        {
            stepwise.Projected.Write<float>(layer.ProjectedRow(t));
            stepwise.Positions.Write<int>([t]);
            graph.Launch(device.Stream);

            int length = layer.OutputLength;
            Assert.Equal(together.Output.Read<float>()[(t * length)..((t + 1) * length)], stepwise.Output.Read<float>());
        }
    }

    [Fact]
    public void LatentAttend_LongerRowThanTheKernelsTake_IsRefused()
    {
        LatentLayer layer = new(new Samples(), 1, 1, 1, 1152, 1, false, [0], [1]);
        using TestDevice device = new();
        LatentRun run = new(device, layer, 1);

        NotSupportedException exception = Assert.Throws<NotSupportedException>(run.Launch);

        Assert.Contains("A cached latent row has 1153 values", exception.Message, StringComparison.Ordinal);
    }

    private static void AssertCache(LatentLayer layer, double[] expected, double[] actual)
    {
        // A value of bfloat16 keeps eight bits.
        double tolerance = layer.IsBFloat16 ? 1.0 / 256 : 1e-6;
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Abs(expected[i]),
                $"Cached value {i} is {actual[i]:R}, but {expected[i]:R} is right.");
        }
    }
}
