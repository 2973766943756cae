using System.Collections.Concurrent;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Converts rows on several threads and hands them on in order, a few chunks ahead of whoever takes them.</summary>
/// <param name="threadCount">How many chunks are converted while one is being taken.</param>
internal sealed unsafe class ConversionPipeline(int threadCount) : IDisposable
{
    private readonly ConcurrentBag<Worker> _idle = [];

    /// <summary>Takes the converted rows of a chunk; the bytes are gone when the call ends.</summary>
    public delegate void ChunkHandler(RowChunk chunk, ReadOnlySpan<byte> converted);

    /// <summary>Converts chunks; when one fails, those before it have been handed on and no thread is left working.</summary>
    /// <exception cref="CheckpointFormatException">A value cannot be converted.</exception>
    /// <exception cref="OperationCanceledException">Converting was cancelled.</exception>
    public void Run(IEnumerable<RowChunk> chunks, ChunkHandler handler, CancellationToken cancellationToken)
    {
        Queue<(RowChunk Chunk, Task<Worker>? Conversion)> pending = new();
        try
        {
            foreach (RowChunk chunk in chunks)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (pending.Count > threadCount)
                {
                    HandOn(pending, handler);
                }

                pending.Enqueue((chunk, chunk.IsCopy ? null : Task.Run(() => Convert(chunk), CancellationToken.None)));
            }

            while (pending.Count > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                HandOn(pending, handler);
            }
        }
        finally
        {
            Finish(pending);
        }
    }

    public void Dispose()
    {
        foreach (Worker worker in _idle)
        {
            worker.Dispose();
        }
    }

    private void HandOn(Queue<(RowChunk Chunk, Task<Worker>? Conversion)> pending, ChunkHandler handler)
    {
        (RowChunk chunk, Task<Worker>? conversion) = pending.Dequeue();
        if (conversion is null)
        {
            handler(chunk, chunk.SourceData);
            return;
        }

        Worker worker = conversion.GetAwaiter().GetResult();
        try
        {
            handler(chunk, worker.Output(chunk.TargetBytes));
        }
        finally
        {
            _idle.Add(worker);
        }
    }

    // The memory that the rest reads may be unmapped as soon as Run has ended, so it has to end first.
    private void Finish(Queue<(RowChunk Chunk, Task<Worker>? Conversion)> pending)
    {
        foreach (Task<Worker> conversion in pending.Select(item => item.Conversion).OfType<Task<Worker>>())
        {
            Task.WhenAny(conversion).Wait(CancellationToken.None);
            if (conversion.IsCompletedSuccessfully)
            {
                _idle.Add(conversion.Result);
            }
        }
    }

    private Worker Convert(RowChunk chunk)
    {
        Worker worker = _idle.TryTake(out Worker? idle) ? idle : new Worker();
        try
        {
            worker.Convert(chunk);
            return worker;
        }
        catch
        {
            _idle.Add(worker);
            throw;
        }
    }

    private sealed class Worker : IDisposable
    {
        private readonly RowConverter _converter = new();
        private NativeBuffer? _output;

        public void Convert(RowChunk chunk)
        {
            if (_output is null || _output.ByteCount < chunk.TargetBytes)
            {
                _output?.Dispose();
                _output = new NativeBuffer(chunk.TargetBytes);
            }

            _converter.Convert(chunk.Source, chunk.Type, chunk.FirstRow, chunk.RowCount, _output.Data);
        }

        public ReadOnlySpan<byte> Output(long byteCount) => new(_output!.Data, checked((int)byteCount));

        public void Dispose()
        {
            _converter.Dispose();
            _output?.Dispose();
        }
    }
}
