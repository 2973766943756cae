using System.Text;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class ExpandedAttentionLaunchTests
{
    // The shapes of the 48B model: two blocks share a processor of an H200, which has 227 KiB of shared memory.
    [Theory]
    [InlineData(8192, 1, "expanded_attend_1", 64, 94208)]
    [InlineData(129, 1, "expanded_attend_1", 2, 94208)]
    [InlineData(129, 2, "expanded_attend_2", 3, 137216)]
    [InlineData(1, 2, "expanded_attend_2", 1, 137216)]
    public void ExpandedAttend_Tokens_TakeABlockForEveryTileAndHead(
        int tokens, int partCount, string entry, int tiles, int sharedBytes)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.ExpandedAttend(stream, Attention() with { Tokens = tokens, Keys = tokens }, partCount);

        FakeLaunch launch = Assert.Single(fake.Launches);
        Assert.Equal(entry, launch.Entry);
        Assert.Equal(new LaunchShape(tiles, 32, 1, 128, sharedBytes), launch.Shape);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 1)]
    [InlineData(2048, 256)]
    public void GatherLatent_Keys_TakeAWarpEach(int keys, int blocks)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.GatherLatent(stream, Rows() with { Keys = keys });

        Assert.Equal(new LaunchShape(blocks, 1, 1, 256, 0), Assert.Single(fake.Launches).Shape);
    }

    [Fact]
    public void ExpandedAttention_WhatItCannotLoad_IsRefused()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.ExpandedAttend(stream, Attention(), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.ExpandedAttend(stream, Attention(), 3));
        Assert.Throws<ArgumentException>(() => kernels.ExpandedAttend(stream, Attention() with { Projected = 8 }, 1));
        Assert.Throws<ArgumentException>(() => kernels.ExpandedAttend(stream, Attention() with { KeyValues = 8 }, 1));
        Assert.Throws<ArgumentException>(() => kernels.ExpandedAttend(stream, Attention() with { SharedKeys = 8 }, 1));
        Assert.Throws<ArgumentException>(() => kernels.ExpandedAttend(stream, Attention() with { Keys = 63 }, 1));
        Assert.Throws<NotSupportedException>(() => kernels.ExpandedAttend(stream, Attention() with { ProjectedLength = 4 }, 1));
        Assert.Throws<NotSupportedException>(() => kernels.GatherLatent(stream, Rows() with { Rank = 12 }));
        Assert.Throws<ArgumentException>(() => kernels.GatherLatent(stream, Rows() with { Latents = 8 }));
        Assert.Throws<ArgumentException>(() => kernels.GatherLatent(stream, Rows() with { Cache = Pages() with { LayerOffset = 8 } }));
        Assert.Empty(fake.Launches);
    }

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    public void ExpandedAttention_EveryArchitecture_IsMadeOfTheInstructionsForMatrices(string architecture)
    {
        string ptx = Encoding.UTF8.GetString(CudaModule.ReadPtx("expanded_attention", architecture));

        Assert.Contains("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ", ptx, StringComparison.Ordinal);
        Assert.Contains("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 ", ptx, StringComparison.Ordinal);
        Assert.Contains("cp.async.wait_group 1;", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain(".local", ptx, StringComparison.Ordinal);
    }

    private static ExpandedAttendArguments Attention() => new()
    {
        Projected = 256,
        KeyValues = 256,
        SharedKeys = 256,
        Output = 256,
        Scales = 256,
        Heads = 32,
        KeyDim = 128,
        SharedDim = 64,
        ValueDim = 128,
        ProjectedLength = 6720,
        Tokens = 128,
        Position = 0,
        FirstKey = 0,
        Keys = 128,
    };

    private static GatherLatentArguments Rows() => new()
    {
        Cache = Pages(),
        Latents = 256,
        SharedKeys = 256,
        Sequence = 0,
        FirstKey = 0,
        Keys = 64,
        Rank = 512,
        SharedDim = 64,
        PartCount = 1,
    };

    private static LatentPages Pages() => new()
    {
        Pages = 256,
        PageStarts = 256,
        Sequences = 256,
        Positions = 256,
        LayerOffset = 0,
        IsBFloat16 = 1,
    };
}
