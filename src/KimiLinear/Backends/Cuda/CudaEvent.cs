namespace KimiLinear.Backends;

/// <summary>A mark in a stream, to wait for or to measure from.</summary>
internal sealed unsafe class CudaEvent : IDisposable
{
    private const uint DisableTiming = 2;

    private readonly CudaDriver _driver;
    private nint _handle;

    public CudaEvent(CudaDevice device, bool measuresTime = false)
    {
        _driver = device.Driver;
        nint handle;
        _driver.Check(_driver.Functions.EventCreate(&handle, measuresTime ? 0 : DisableTiming), "cuEventCreate");
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

    public void Record(CudaStream stream) => _driver.Check(_driver.Functions.EventRecord(Handle, stream.Handle), "cuEventRecord");

    /// <summary>Waits until the stream has come past the mark.</summary>
    public void Synchronize() => _driver.Check(_driver.Functions.EventSynchronize(Handle), "cuEventSynchronize");

    /// <summary>The device's time between two marks that it has come past.</summary>
    public TimeSpan ElapsedSince(CudaEvent start)
    {
        float milliseconds;
        _driver.Check(_driver.Functions.EventElapsedTime(&milliseconds, start.Handle, Handle), "cuEventElapsedTime");
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            nint handle = _handle;
            _handle = 0;
            _driver.Check(_driver.Functions.EventDestroy(handle), "cuEventDestroy");
        }
    }
}
