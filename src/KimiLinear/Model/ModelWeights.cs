using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>The weights a model is bound from: where the checkpoint maps them, or converted, in memory of their own.</summary>
/// <remarks>Owns the checkpoint and the memory.</remarks>
internal sealed unsafe class ModelWeights : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly Dictionary<string, StoredTensor> _converted = [];
    private NativeBuffer? _memory;

    public ModelWeights(Checkpoint checkpoint)
    {
        _checkpoint = checkpoint;
        Tensors = checkpoint.Tensors;
        ByteCount = checkpoint.TotalBytes;
    }

    /// <summary>Every tensor, in the order of the checkpoint.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; private set; }

    /// <summary>Bytes of the files, or of the tensors once some of them are converted.</summary>
    public long ByteCount { get; private set; }

    /// <summary>The tensors that lie in the mapped files.</summary>
    public IEnumerable<StoredTensor> Mapped => Tensors.Where(tensor => !_converted.ContainsKey(tensor.Name));

    /// <summary>Finds a tensor that must be there.</summary>
    public StoredTensor Get(string name) => _converted.TryGetValue(name, out StoredTensor? tensor) ? tensor : _checkpoint.Get(name);

    /// <summary>Converts what a weight format stores otherwise; the source is read once, from where it is mapped.</summary>
    /// <returns>Bytes of source that were read.</returns>
    /// <exception cref="CheckpointFormatException">A value cannot be converted.</exception>
    /// <exception cref="OperationCanceledException">Converting was cancelled.</exception>
    public long Convert(
        KimiLinearConfig config,
        WeightFormat format,
        int threadCount,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        long total = Tensors.Sum(tensor => tensor.ByteCount);
        StoredTensor[] sources =
        [
            .. CheckpointSchema.Expected(config).Select(expected => _checkpoint.Get(expected.Name))
                .Where(tensor => PackingRecipe.TargetType(format, tensor) != tensor.DataType),
        ];
        Reserve(sources, format);

        long read = 0;
        long written = 0;
        using ConversionPipeline pipeline = new(threadCount);
        pipeline.Run(
            sources.SelectMany(source => RowChunk.Of(source, PackingRecipe.TargetType(format, source))),
            (chunk, bytes) =>
            {
                if (chunk.FirstRow == 0)
                {
                    written = _converted[chunk.Source.Name].Data - _memory!.Data;
                }

                bytes.CopyTo(new Span<byte>(_memory!.Data + written, bytes.Length));
                written += bytes.Length;
                read += chunk.SourceBytes;
                progress?.Report(new ModelLoadProgress(read, total, "converting weights"));
            },
            cancellationToken);

        Tensors = [.. Tensors.Select(tensor => Get(tensor.Name))];
        ByteCount = Tensors.Sum(tensor => tensor.ByteCount);
        return read;
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _memory?.Dispose();
    }

    // One piece of memory for all: tens of thousands of pieces would be slow to free, and many more than a system maps.
    private void Reserve(StoredTensor[] sources, WeightFormat format)
    {
        long[] offsets = new long[sources.Length + 1];
        for (int i = 0; i < sources.Length; i++)
        {
            long bytes = RowConverter.ByteCount(
                PackingRecipe.TargetType(format, sources[i]), StoredRows.CountOf(sources[i]), StoredRows.LengthOf(sources[i]));
            offsets[i + 1] = (offsets[i] + bytes + PackedLayout.AlignmentBytes - 1)
                / PackedLayout.AlignmentBytes * PackedLayout.AlignmentBytes;
        }

        _memory = new NativeBuffer(offsets[^1]);
        for (int i = 0; i < sources.Length; i++)
        {
            StoredTensor source = sources[i];
            DataType type = PackingRecipe.TargetType(format, source);
            _converted.Add(
                source.Name, new StoredTensor(source.Name, type, source.Shape, _memory.Data + offsets[i], source.FilePath));
        }
    }
}
