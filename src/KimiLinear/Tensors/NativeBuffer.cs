using System.Runtime.InteropServices;

namespace KimiLinear.Tensors;

/// <summary>Memory outside the managed heap, 64-byte aligned and counted; large buffers ask for large pages.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    // One cache line, and the widest vector register.
    private const nuint AlignmentBytes = 64;

    // Weights are this large; smaller buffers would waste most of a large page.
    private const long LargeBytes = 64 << 20;

    private static long _allocatedBytes;

    private byte* _data;

    /// <param name="byteCount">Size in bytes; not negative.</param>
    public NativeBuffer(long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        ByteCount = byteCount;
        bool isLarge = byteCount >= LargeBytes;
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)byteCount, isLarge ? HugePages.PageBytes : AlignmentBytes);
        Interlocked.Add(ref _allocatedBytes, byteCount);
        if (isLarge)
        {
            HugePages.Request(_data, byteCount);
        }

        if (PoisonsNewMemory)
        {
            NativeMemory.Fill(_data, (nuint)byteCount, 0xFF);
        }
    }

    ~NativeBuffer() => Free();

    /// <summary>Bytes held by all buffers of this process now.</summary>
    public static long AllocatedBytes => Interlocked.Read(ref _allocatedBytes);

    /// <summary>Whether new memory is filled with bytes that read as NaN, so that a test sees what was never written.</summary>
    public static bool PoisonsNewMemory { get; set; }

    public long ByteCount { get; }

    public byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data == null, this);
            return _data;
        }
    }

    public void Clear() => NativeMemory.Clear(Data, (nuint)ByteCount);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_data != null)
        {
            NativeMemory.AlignedFree(_data);
            _data = null;
            Interlocked.Add(ref _allocatedBytes, -ByteCount);
        }
    }
}
