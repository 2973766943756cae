using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class CudaGraphTests
{
    private static readonly LaunchShape Shape = new(1, 1, 1, 32, 0);

    [Fact]
    public void Launch_RecordedKernels_RunEachTimeInOrder()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "experts");
        CudaKernel first = module.Find("expert_gate_up");
        CudaKernel second = module.Find("expert_down");

        using CudaGraph graph = new(device, stream, () =>
        {
            first.Launch(stream, Shape, default(Large));
            second.Launch(stream, Shape, default(Large));
        });
        int recorded = fake.Launches.Count;
        graph.Launch(stream);
        graph.Launch(stream);

        Assert.Equal(0, recorded);
        Assert.Equal(
            ["expert_gate_up", "expert_down", "expert_gate_up", "expert_down"], fake.Launches.Select(launch => launch.Entry));
        Assert.Empty(fake.Problems);
    }

    [Fact]
    public void Constructor_RecordingFails_EndsItAndLeavesNothing()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);

        Assert.Throws<InvalidDataException>(() => new CudaGraph(device, stream, () => throw new InvalidDataException()));

        Assert.Equal(["context", "stream"], fake.Alive);
        using CudaGraph next = new(device, stream, () => { });
        Assert.Empty(fake.Problems);
    }

    [Fact]
    public void Constructor_InstantiationFails_DestroysTheRecording()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuGraphInstantiate"] = 801 } };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);

        Assert.Throws<CudaException>(() => new CudaGraph(device, stream, () => { }));

        Assert.Equal(["context", "stream"], fake.Alive);
    }

    [Fact]
    public unsafe void Constructor_CopyWhileRecording_IsAnError()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaArena arena = new(device, "a test", 256);
        CudaRegion region = arena.Reserve("first", 16);
        byte value = 0;
        byte* pointer = &value;

        Assert.Throws<CudaException>(() => new CudaGraph(device, stream, () => stream.Upload(pointer, region, 0, 1)));
    }

    [Fact]
    public void Dispose_Twice_DestroysOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        CudaGraph graph = new(device, stream, () => { });

        graph.Dispose();
        graph.Dispose();

        Assert.Empty(fake.Problems);
        Assert.Throws<ObjectDisposedException>(() => graph.Launch(stream));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(5, 6)]
    [InlineData(6, 6)]
    public void BucketSize_BatchUpToSix_IsThePowerOfTwoThatHoldsIt(int batchSize, int expected)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaGraphBuckets buckets = new(device, stream, 6);

        Assert.Equal(expected, buckets.BucketSize(batchSize));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void BucketSize_OutsideTheRange_IsRefused(int batchSize)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaGraphBuckets buckets = new(device, stream, 6);

        Assert.Throws<ArgumentOutOfRangeException>(() => buckets.BucketSize(batchSize));
    }

    [Fact]
    public void Launch_ManySizes_RecordsEachBucketOnceUntilCleared()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        CudaGraphBuckets buckets = new(device, stream, 6);
        List<int> recorded = [];

        foreach (int size in new[] { 3, 4, 1, 3, 6, 5 })
        {
            buckets.Launch(size, recorded.Add);
        }

        Assert.Equal([4, 1, 6], recorded);
        Assert.Equal(3, buckets.RecordedCount);

        buckets.Clear();
        buckets.Launch(2, recorded.Add);

        Assert.Equal([4, 1, 6, 2], recorded);
        buckets.Dispose();
        Assert.Equal(["context", "stream"], fake.Alive);
    }

    // As long as the longest argument structure of the kernels used here.
    [System.Runtime.CompilerServices.InlineArray(32)]
    private struct Large
    {
        private long _first;
    }
}
