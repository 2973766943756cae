namespace KimiLinear.Backends;

/// <summary>Page-locked memory of the host, which copies to and from the device without a stop on the way.</summary>
internal sealed unsafe class CudaHostBuffer : IDisposable
{
    private readonly CudaDriver _driver;
    private byte* _data;

    public CudaHostBuffer(CudaDevice device, long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(byteCount);
        _driver = device.Driver;
        ByteCount = byteCount;
        void* data;
        _driver.Check(_driver.Functions.MemHostAlloc(&data, (nuint)byteCount, 0), "cuMemHostAlloc", byteCount, "bytes");
        _data = (byte*)data;
    }

    public long ByteCount { get; }

    public byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data == null, this);
            return _data;
        }
    }

    public void Dispose()
    {
        if (_data != null)
        {
            byte* data = _data;
            _data = null;
            _driver.Check(_driver.Functions.MemFreeHost(data), "cuMemFreeHost");
        }
    }
}
