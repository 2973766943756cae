using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class DeltaChunkTests
{
    // Factors are the sum of two numbers of bfloat16, within 2^-17 of a value and 4e-6 on average; some products follow each other,
    // and the norm of the output makes small values large.
    private const double OutputTolerance = 6e-5;
    private const double StateTolerance = 2e-5;

    [Theory]
    [InlineData(1, 16, 4, 8, 16, 2f, 1)]
    [InlineData(2, 32, 4, 32, 32, 2f, 64)]
    [InlineData(1, 48, 3, 24, 8, 2f, 63, 17)]
    [InlineData(2, 64, 1, 64, 64, 1f, 130, 2)]
    [InlineData(1, 128, 4, 128, 128, 0f, 200)]
    [InlineData(1, 112, 2, 16, 16, -1f, 65)]
    public void ChunkScanGate_AnySizes_MatchTokenByToken(
        int heads, int headDim, int taps, int decayRank, int gateRank, float decay, params int[] tokenCounts)
    {
        DeltaLayer layer = new(new Samples(), heads, headDim, taps, decayRank, gateRank, tokenCounts, decay);

        AssertMatches(layer, tokenCounts, pieceTokens: 1000);
    }

    // Rates of e^6: decays of one token reach e^-1000 in some channels and are next to nothing in others.
    [Theory]
    [InlineData(6f)]
    [InlineData(-8f)]
    public void ChunkScanGate_DecaysOfAnyStrength_NeitherOverflowNorLoseTheRest(float decay)
    {
        DeltaLayer layer = new(new Samples(), 3, 32, 4, 32, 32, [100], decay);

        AssertMatches(layer, [100], pieceTokens: 1000);
    }

    // A piece of one or two tokens keeps some of the tail before it.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(64)]
    [InlineData(41)]
    public void ChunkScanGate_InPieces_MatchTokenByToken(int pieceTokens)
    {
        int tokens = Math.Min(100, pieceTokens * 5);
        DeltaLayer layer = new(new Samples(), 1, 32, 4, 16, 16, [tokens]);

        AssertMatches(layer, [tokens], pieceTokens);
    }

    [Theory]
    [InlineData(136, 4)]
    [InlineData(24, 4)]
    [InlineData(32, 5)]
    public void DeltaChunk_HeadsThatItDoesNotTake_AreRefusedAndSaidSoBefore(int headDim, int taps)
    {
        DeltaLayer layer = new(new Samples(), 1, headDim, taps, 8, 8, [1]);
        using TestDevice device = new();
        DeltaChunkRun run = new(device, layer);

        NotSupportedException exception = Assert.Throws<NotSupportedException>(() => run.Launch(0, 1, 1));

        Assert.Contains($"but there are {headDim} and {taps}", exception.Message, StringComparison.Ordinal);
        Assert.False(PrefillKernels.TakesDeltaHeads(headDim, taps, 8, 8));
    }

    private static void AssertMatches(DeltaLayer layer, int[] tokenCounts, int pieceTokens)
    {
        using TestDevice device = new();
        DeltaChunkRun run = new(device, layer);

        device.Run(() =>
        {
            for (int sequence = 0; sequence < tokenCounts.Length; sequence++)
            {
                run.Launch(sequence, tokenCounts[sequence], pieceTokens);
            }
        });

        (double[] output, double[] slots) = layer.Compute();
        Exact.AssertClose(output, run.Output.Read<float>(), OutputTolerance);
        Exact.AssertClose(slots, run.Slots.Read<float>(), StateTolerance);
        Assert.Equal(0, device.BankConflicts);
    }
}
