namespace KimiLinear.Backends;

/// <summary>Carries values from memory that is not page-locked to a GPU, by way of two buffers that are: one fills, one empties.</summary>
internal sealed unsafe class CudaStaging : IDisposable
{
    /// <summary>Bytes of one buffer.</summary>
    public const int BufferBytes = 16 << 20;

    private readonly CudaStream _stream;
    private readonly CudaHostBuffer[] _buffers;
    private readonly CudaEvent[] _emptied;
    private int _next;

    public CudaStaging(CudaDevice device, CudaStream stream)
    {
        _stream = stream;
        _buffers = [new CudaHostBuffer(device, BufferBytes), new CudaHostBuffer(device, BufferBytes)];
        _emptied = [new CudaEvent(device), new CudaEvent(device)];
    }

    /// <summary>A buffer that nothing reads any more; <see cref="Send"/> takes what is written to it.</summary>
    public byte* Next()
    {
        _emptied[_next].Synchronize();
        return _buffers[_next].Data;
    }

    /// <summary>Queues the copy of the first bytes of the buffer that <see cref="Next"/> gave.</summary>
    public void Send(CudaRegion destination, long offset, long byteCount)
    {
        _stream.Upload(_buffers[_next].Data, destination, offset, byteCount);
        _emptied[_next].Record(_stream);
        _next = 1 - _next;
    }

    /// <summary>Copies bytes, which may change as soon as the call returns.</summary>
    public void Copy(byte* source, CudaRegion destination, long offset, long byteCount)
    {
        for (long done = 0; done < byteCount; done += BufferBytes)
        {
            long piece = Math.Min(BufferBytes, byteCount - done);
            Buffer.MemoryCopy(source + done, Next(), piece, piece);
            Send(destination, offset + done, piece);
        }
    }

    public void Dispose()
    {
        foreach (IDisposable part in (IDisposable[])[.. _buffers, .. _emptied])
        {
            part.Dispose();
        }
    }
}
