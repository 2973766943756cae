using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Float32 working memory that grows to the largest size asked for and is reused.</summary>
internal sealed unsafe class ScratchBuffer : IDisposable
{
    private NativeBuffer? _memory;

    /// <summary>Memory for this many values; what was there before is lost.</summary>
    public float* Get(long length)
    {
        long byteCount = length * sizeof(float);
        if (_memory is null || _memory.ByteCount < byteCount)
        {
            // Forgotten before it is replaced: a failed allocation must not leave a disposed buffer behind.
            _memory?.Dispose();
            _memory = null;
            _memory = new NativeBuffer(byteCount);
        }

        return (float*)_memory.Data;
    }

    public void Dispose() => _memory?.Dispose();
}
