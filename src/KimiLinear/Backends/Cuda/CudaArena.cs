using System.Globalization;

namespace KimiLinear.Backends;

/// <summary>All device memory of one purpose, in one allocation; regions are cut off one behind the other.</summary>
internal sealed class CudaArena : IDisposable
{
    /// <summary>Every region begins at a multiple of this: whole lines of memory, and the widest load of a kernel.</summary>
    public const int AlignmentBytes = 256;

    private readonly CudaDevice _device;
    private nint _address;

    /// <param name="device">Whose memory it is.</param>
    /// <param name="purpose">What for, as messages say it: "the weights".</param>
    /// <param name="byteCount">Size in bytes; positive.</param>
    /// <exception cref="DeviceMemoryException">The device has not enough memory.</exception>
    public CudaArena(CudaDevice device, string purpose, long byteCount)
    {
        _device = device;
        Purpose = purpose;
        ByteCount = byteCount;
        _address = device.Allocate(byteCount, purpose);
    }

    public string Purpose { get; }

    public long ByteCount { get; }

    /// <summary>Bytes that regions take, those that align them included.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>What a region of this size takes of an arena.</summary>
    public static long Aligned(long byteCount) => (byteCount + AlignmentBytes - 1) / AlignmentBytes * AlignmentBytes;

    /// <summary>Cuts the next region off; its values are undefined.</summary>
    /// <exception cref="InvalidOperationException">The arena was made too small.</exception>
    public CudaRegion Reserve(string name, long byteCount)
    {
        ObjectDisposedException.ThrowIf(_address == 0, this);
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        if (byteCount > ByteCount - UsedBytes)
        {
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{name}' takes {byteCount:N0} bytes, but of the {ByteCount:N0} bytes for {Purpose} "
                + $"{ByteCount - UsedBytes:N0} are left."));
        }

        CudaRegion region = new(name, _address + (nint)UsedBytes, byteCount);
        UsedBytes = Math.Min(ByteCount, UsedBytes + Aligned(byteCount));
        return region;
    }

    /// <summary>Takes all regions back; the memory stays.</summary>
    public void Reset() => UsedBytes = 0;

    public void Dispose()
    {
        if (_address != 0)
        {
            nint address = _address;
            _address = 0;
            _device.Free(address);
        }
    }
}
