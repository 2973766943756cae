using System.Runtime.InteropServices;

namespace KimiLinear.Tensors;

/// <summary>Memory outside the managed heap, 64-byte aligned and counted; large buffers ask for large pages.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    // One cache line, and the widest vector register.
    private const nuint AlignmentBytes = 64;

    // Weights are this large; smaller buffers would waste most of a large page.
    private const long LargeBytes = 4 << 20;

    private static long _allocatedBytes;

    private byte* _data;

    /// <param name="byteCount">Size in bytes; not negative.</param>
    public NativeBuffer(long byteCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        ByteCount = byteCount;
        _data = Allocate(byteCount);
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

    /// <summary>Memory without an object to hold it, counted like the rest; the caller gives it to <see cref="Free(byte*, long)"/>.</summary>
    public static byte* Allocate(long byteCount)
    {
        bool isLarge = byteCount >= LargeBytes;
        byte* data = (byte*)NativeMemory.AlignedAlloc((nuint)byteCount, isLarge ? HugePages.PageBytes : AlignmentBytes);
        Interlocked.Add(ref _allocatedBytes, byteCount);
        if (isLarge)
        {
            HugePages.Request(data, byteCount);
        }

        if (PoisonsNewMemory)
        {
            NativeMemory.Fill(data, (nuint)byteCount, 0xFF);
        }

        return data;
    }

    /// <summary>Gives back what <see cref="Allocate"/> gave.</summary>
    public static void Free(byte* data, long byteCount)
    {
        NativeMemory.AlignedFree(data);
        Interlocked.Add(ref _allocatedBytes, -byteCount);
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
            Free(_data, ByteCount);
            _data = null;
        }
    }
}
