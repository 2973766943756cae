using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed unsafe class CudaStreamTests
{
    [Fact]
    public void UploadCopyDownload_Bytes_ComeBack()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaArena arena = new(device, "a test", 1024);
        CudaRegion first = arena.Reserve("first", 16);
        CudaRegion second = arena.Reserve("second", 16);
        byte[] sent = [1, 2, 3, 4];
        byte[] received = new byte[4];

        fixed (byte* source = sent)
        fixed (byte* destination = received)
        {
            stream.Upload(source, first, 12, 4);
            stream.Copy(first, 12, second, 8, 4);
            stream.Fill(second, 9, 7, 1);
            stream.Download(second, 8, destination, 4);
            stream.Synchronize();
        }

        Assert.Equal([1, 7, 3, 4], received);
        Assert.Empty(fake.Problems);
    }

    [Theory]
    [InlineData(13, 4)]
    [InlineData(-1, 4)]
    [InlineData(0, -1)]
    [InlineData(17, 0)]
    public void Copies_OutsideTheRegion_AreRefused(long offset, long byteCount)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaArena arena = new(device, "a test", 1024);
        CudaRegion region = arena.Reserve("small", 16);
        byte value = 0;
        byte* pointer = &value;

        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Upload(pointer, region, offset, byteCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Download(region, offset, pointer, byteCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Fill(region, offset, 0, byteCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Copy(region, offset, region, 0, byteCount));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Copy(region, 0, region, offset, byteCount));
    }

    [Fact]
    public void Synchronize_FailedKernel_IsAnError()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuStreamSynchronize"] = 700 } };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);

        CudaException exception = Assert.Throws<CudaException>(stream.Synchronize);

        Assert.Contains("cuStreamSynchronize failed: CUDA_ERROR_700", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Events_RecordedAndAwaited_MeasureTime()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaStream other = new(device);
        using CudaEvent start = new(device, measuresTime: true);
        using CudaEvent end = new(device, measuresTime: true);

        start.Record(stream);
        other.Wait(start);
        end.Record(other);
        end.Synchronize();

        Assert.Equal(TimeSpan.FromMilliseconds(2.5), end.ElapsedSince(start));
        Assert.Equal(
            ["cuEventRecord", "cuStreamWaitEvent", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime"],
            fake.Calls.TakeLast(5));
    }

    [Fact]
    public void Dispose_Twice_DestroysOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        CudaStream stream = new(device);
        CudaEvent mark = new(device);
        CudaHostBuffer buffer = new(device, 10);

        for (int i = 0; i < 2; i++)
        {
            mark.Dispose();
            stream.Dispose();
            buffer.Dispose();
        }

        Assert.Empty(fake.Problems);
        Assert.Equal(["context"], fake.Alive);
        Assert.Throws<ObjectDisposedException>(() => stream.Handle);
        Assert.Throws<ObjectDisposedException>(() => mark.Handle);
        Assert.Throws<ObjectDisposedException>(() => { _ = buffer.Data; });
    }

    [Fact]
    public void Dispose_DeviceBeforeItsStream_IsSeenByTheFake()
    {
        using FakeCudaDriver fake = new();
        CudaDevice device = new(fake.Open(), 0);
        CudaStream stream = new(device);

        device.Dispose();
        stream.Dispose();

        Assert.Contains("the context was released before stream", fake.Problems);
    }
}
