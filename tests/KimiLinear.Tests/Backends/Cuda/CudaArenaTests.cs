using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class CudaArenaTests
{
    [Fact]
    public void Reserve_AnySizes_LieApartAlignedAndInside() =>
        Prop.ForAll<NonNegativeInt[]>(sizes =>
        {
            using FakeCudaDriver fake = new();
            using CudaDevice device = new(fake.Open(), 0);
            long byteCount = sizes.Sum(size => CudaArena.Aligned(size.Get)) + 1;
            using CudaArena arena = new(device, "a test", byteCount);

            CudaRegion[] regions = [.. sizes.Select((size, i) => arena.Reserve($"{i}", size.Get))];

            nint start = arena.Reserve("the rest", 0).Address - (nint)arena.UsedBytes;
            long end = 0;
            foreach (CudaRegion region in regions)
            {
                Assert.Equal(0, region.Address % CudaArena.AlignmentBytes);
                Assert.True(region.Address - start >= end);
                end = region.Address - start + region.ByteCount;
            }

            Assert.True(end <= byteCount);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Reserve_ExactlyTheRest_Fits()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaArena arena = new(device, "a test", 300);

        arena.Reserve("first", 10);
        CudaRegion last = arena.Reserve("last", 44);

        Assert.Equal(44, last.ByteCount);
        Assert.Throws<InvalidOperationException>(() => arena.Reserve("too much", 1));
    }

    [Fact]
    public void Reserve_TooMuch_NamesRegionPurposeAndSizes()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaArena arena = new(device, "the activations", 4096);
        arena.Reserve("hidden", 1000);

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(() => arena.Reserve("logits", 5000));

        Assert.Equal(
            "'logits' takes 5,000 bytes, but of the 4,096 bytes for the activations 3,072 are left.", exception.Message);
    }

    [Fact]
    public void Reset_UsedArena_BeginsAgain()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaArena arena = new(device, "a test", 512);
        CudaRegion first = arena.Reserve("first", 512);

        arena.Reset();

        Assert.Equal(first.Address, arena.Reserve("again", 512).Address);
        Assert.Single(fake.Calls, "cuMemAlloc");
    }

    [Fact]
    public void Dispose_Twice_FreesOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        CudaArena arena = new(device, "a test", 512);

        arena.Dispose();
        arena.Dispose();

        Assert.Empty(fake.Problems);
        Assert.Equal(0, fake.UsedBytes);
        Assert.Throws<ObjectDisposedException>(() => arena.Reserve("late", 1));
    }

    [Fact]
    public void Constructor_NotEnoughMemory_LeavesNothingBehind()
    {
        using FakeCudaDriver fake = new() { TotalBytes = 100 };
        using CudaDevice device = new(fake.Open(), 0);

        Assert.Throws<DeviceMemoryException>(() => new CudaArena(device, "a test", 101));

        Assert.Equal(["context"], fake.Alive);
    }
}
