using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Float32 working memory that grows to the largest size asked for and is reused.</summary>
/// <param name="onGrowth">Called after it has grown.</param>
internal sealed unsafe class ScratchBuffer(Action? onGrowth = null) : IDisposable
{
    private NativeBuffer? _memory;

    /// <summary>Values there is memory for.</summary>
    public long Length => (_memory?.ByteCount ?? 0) / sizeof(float);

    /// <summary>Memory for this many values; what was there before is lost.</summary>
    public float* Get(long length)
    {
        Reserve(length);
        return (float*)_memory!.Data;
    }

    /// <summary>Grows to this many values unless there are as many.</summary>
    public void Reserve(long length)
    {
        long byteCount = length * sizeof(float);
        if (_memory is null || _memory.ByteCount < byteCount)
        {
            // Forgotten before it is replaced: a failed allocation must not leave a disposed buffer behind.
            _memory?.Dispose();
            _memory = null;
            _memory = new NativeBuffer(byteCount);
            onGrowth?.Invoke();
        }
    }

    public void Dispose() => _memory?.Dispose();
}
