using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A piece of device memory behind a guard that is looked at, and before one that nothing survives touching.</summary>
internal sealed unsafe class DeviceBuffer : IDisposable
{
    private const int GuardBytes = 1024;
    private const byte Poison = 0xFF;

    private readonly CudaStream _stream;
    private readonly CudaArena _arena;
    private readonly CudaRegion _everything;
    private readonly long _byteCount;

    public DeviceBuffer(CudaDevice device, CudaStream stream, long byteCount)
    {
        _stream = stream;
        _byteCount = byteCount;
        _arena = new CudaArena(device, "a test", byteCount + GuardBytes);
        _everything = _arena.Reserve("everything", _arena.ByteCount);
        _stream.Fill(_everything, 0, Poison, _arena.ByteCount);
    }

    public nint Address => _everything.Address + GuardBytes;

    public void Write<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        fixed (T* source = values)
        {
            _stream.Upload(source, _everything, GuardBytes, (long)values.Length * sizeof(T));
            _stream.Synchronize();
        }
    }

    public T[] Read<T>()
        where T : unmanaged
    {
        T[] values = new T[_byteCount / sizeof(T)];
        fixed (T* destination = values)
        {
            _stream.Download(_everything, GuardBytes, destination, (long)values.Length * sizeof(T));
            _stream.Synchronize();
        }

        return values;
    }

    /// <summary>The bytes of the buffer and its first guard.</summary>
    public byte[] Everything()
    {
        byte[] bytes = new byte[_everything.ByteCount];
        fixed (byte* destination = bytes)
        {
            _stream.Download(_everything, 0, destination, bytes.Length);
            _stream.Synchronize();
        }

        return bytes;
    }

    public void Restore(byte[] everything)
    {
        fixed (byte* source = everything)
        {
            _stream.Upload(source, _everything, 0, everything.Length);
            _stream.Synchronize();
        }
    }

    public bool IsGuardIntact(byte[] everything) =>
        !everything.AsSpan(0, GuardBytes).ContainsAnyExcept(Poison);

    public void Dispose() => _arena.Dispose();
}
