using System.Text;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class DeltaChunkLaunchTests
{
    // Heads of the 48B model: two blocks of delta_chunk share a processor of an H200, which has 227 KiB of shared memory for them,
    // and one of delta_scan fits the 163 KiB of an A100.
    [Theory]
    [InlineData(2048, 128, 32, 4, 113920, 150528)]
    [InlineData(65, 128, 2, 4, 113920, 150528)]
    [InlineData(64, 16, 1, 1, 26112, 50176)]
    public void ChunksAndScan_Sizes_FitTheProcessor(
        int tokens, int headDim, int chunks, int slices, int chunkBytes, int scanBytes)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.DeltaChunk(stream, Chunk() with { Tokens = tokens, HeadDim = headDim });
        kernels.DeltaScan(stream, Scan() with { Tokens = tokens, HeadDim = headDim });

        Assert.Equal(["delta_chunk", "delta_scan"], fake.Launches.Select(launch => launch.Entry));
        Assert.Equal(
            [new LaunchShape(chunks, 32, 1, 256, chunkBytes), new LaunchShape(slices, 32, 1, 256, scanBytes)],
            fake.Launches.Select(launch => launch.Shape));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(9, 2)]
    public void GatesAroundChunks_Rows_TakeAWarpEach(int rows, int blocks)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.SplitGates(
            stream,
            new()
            {
                Projected = 256,
                DecayParts = 256,
                GateParts = 256,
                RowLength = 64,
                FirstColumn = 48,
                DecayRank = 8,
                GateRank = 8,
                Tokens = rows,
                PartCount = 2,
            });
        kernels.GateOutput(stream, new() { GateLogits = 256, Norm = 256, Output = 256, HeadDim = 16, Rows = rows, Epsilon = 0 });

        Assert.All(fake.Launches, launch => Assert.Equal(new LaunchShape(blocks, 1, 1, 256, 0), launch.Shape));
        Assert.Equal(["split_gates", "gate_output"], fake.Launches.Select(launch => launch.Entry));
    }

    [Fact]
    public void ChunksAndScan_WhatTheyDoNotTake_IsRefused()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        Assert.Throws<NotSupportedException>(() => kernels.DeltaChunk(stream, Chunk() with { HeadDim = 144 }));
        Assert.Throws<NotSupportedException>(() => kernels.DeltaChunk(stream, Chunk() with { HeadDim = 24 }));
        Assert.Throws<NotSupportedException>(() => kernels.DeltaScan(stream, Scan() with { Taps = 5 }));
        Assert.Throws<ArgumentException>(() => kernels.DeltaScan(stream, Scan() with { Chunks = Chunks() with { Rows = 8 } }));
        Assert.Throws<ArgumentException>(() => kernels.DeltaScan(stream, Scan() with { Chunks = Chunks() with { Pairs = 8 } }));
        Assert.Empty(fake.Launches);
        Assert.True(PrefillKernels.TakesDeltaHeads(128, 4, 128, 128));
        Assert.False(PrefillKernels.TakesDeltaHeads(128, 4, 136, 128));
        Assert.False(PrefillKernels.TakesDeltaHeads(128, 4, 128, 12));
    }

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    public void ChunksAndScan_EveryArchitecture_AreMadeOfTheInstructionsForMatrices(string architecture)
    {
        foreach (string module in (string[])["delta_chunk", "delta_scan"])
        {
            string ptx = Encoding.UTF8.GetString(CudaModule.ReadPtx(module, architecture));

            Assert.Contains("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ", ptx, StringComparison.Ordinal);
            Assert.DoesNotContain(".local", ptx, StringComparison.Ordinal);
        }
    }

    private static DeltaChunks Chunks() => new() { Rows = 256, Pairs = 256, Values = 256, Decays = 256 };

    private static DeltaChunkArguments Chunk() => new()
    {
        Chunks = Chunks(),
        Projected = 256,
        DecayLogits = 256,
        QueryTaps = 256,
        KeyTaps = 256,
        ValueTaps = 256,
        DecayLog = 256,
        DecayBias = 256,
        Tail = 256,
        Heads = 32,
        HeadDim = 128,
        Taps = 4,
        RowLength = 12576,
        Tokens = 64,
    };

    private static DeltaScanArguments Scan() => new()
    {
        Chunks = Chunks(),
        Projected = 256,
        State = 256,
        Tail = 256,
        Output = 256,
        Heads = 32,
        HeadDim = 128,
        Taps = 4,
        RowLength = 12576,
        Tokens = 64,
    };
}
