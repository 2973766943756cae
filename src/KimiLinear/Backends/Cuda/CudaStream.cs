namespace KimiLinear.Backends;

/// <summary>A queue of work for the device, done in order; it does not wait for other queues unless told to.</summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;

    private readonly CudaDriver _driver;
    private nint _handle;

    public CudaStream(CudaDevice device)
    {
        _driver = device.Driver;
        nint handle;
        _driver.Check(_driver.Functions.StreamCreate(&handle, NonBlocking), "cuStreamCreate");
        _handle = handle;
    }

    public nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_handle == 0, this);
            return _handle;
        }
    }

    /// <summary>Waits until all that was queued is done. Errors of kernels show here at the latest.</summary>
    public void Synchronize() => _driver.Check(_driver.Functions.StreamSynchronize(Handle), "cuStreamSynchronize");

    /// <summary>What is queued from now on begins after the event.</summary>
    public void Wait(CudaEvent after) =>
        _driver.Check(_driver.Functions.StreamWaitEvent(Handle, after.Handle, 0), "cuStreamWaitEvent");

    /// <summary>Queues a copy to the device; the source must stay as it is until it is done.</summary>
    public void Upload(void* source, CudaRegion destination, long offset, long byteCount)
    {
        RequireInside(destination, offset, byteCount);
        int result = _driver.Functions.MemcpyHtoDAsync(destination.Address + (nint)offset, source, (nuint)byteCount, Handle);
        _driver.Check(result, "cuMemcpyHtoDAsync", byteCount, "bytes");
    }

    /// <summary>Queues a copy to the host; the destination has it after the next <see cref="Synchronize"/>.</summary>
    public void Download(CudaRegion source, long offset, void* destination, long byteCount)
    {
        RequireInside(source, offset, byteCount);
        int result = _driver.Functions.MemcpyDtoHAsync(destination, source.Address + (nint)offset, (nuint)byteCount, Handle);
        _driver.Check(result, "cuMemcpyDtoHAsync", byteCount, "bytes");
    }

    /// <summary>Queues a copy inside the device.</summary>
    public void Copy(CudaRegion source, long sourceOffset, CudaRegion destination, long destinationOffset, long byteCount)
    {
        RequireInside(source, sourceOffset, byteCount);
        RequireInside(destination, destinationOffset, byteCount);
        nint from = source.Address + (nint)sourceOffset;
        nint to = destination.Address + (nint)destinationOffset;
        int result = _driver.Functions.MemcpyDtoDAsync(to, from, (nuint)byteCount, Handle);
        _driver.Check(result, "cuMemcpyDtoDAsync", byteCount, "bytes");
    }

    /// <summary>Queues the filling of memory with one byte.</summary>
    public void Fill(CudaRegion destination, long offset, byte value, long byteCount)
    {
        RequireInside(destination, offset, byteCount);
        int result = _driver.Functions.MemsetD8Async(destination.Address + (nint)offset, value, (nuint)byteCount, Handle);
        _driver.Check(result, "cuMemsetD8Async", byteCount, "bytes");
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            nint handle = _handle;
            _handle = 0;
            _driver.Check(_driver.Functions.StreamDestroy(handle), "cuStreamDestroy");
        }
    }

    private static void RequireInside(CudaRegion region, long offset, long byteCount)
    {
        if (offset < 0 || byteCount < 0 || byteCount > region.ByteCount - offset)
        {
            throw new ArgumentOutOfRangeException(
                nameof(byteCount),
                $"{byteCount} bytes from byte {offset} do not lie inside '{region.Name}', which has {region.ByteCount} bytes.");
        }
    }
}
