using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Converts a checkpoint's weights to another format, in memory.</summary>
/// <remarks>
/// The source is read once, from where it is mapped, and never copied; what the format leaves alone stays mapped.
/// </remarks>
internal sealed unsafe class WeightConversion
{
    private readonly Checkpoint _source;
    private readonly WeightFormat _format;
    private readonly StoredTensor[] _concerned;

    public WeightConversion(Checkpoint source, KimiLinearConfig config, WeightFormat format)
    {
        _source = source;
        _format = format;
        _concerned =
        [
            .. CheckpointSchema.Expected(config).Select(expected => source.Get(expected.Name))
                .Where(tensor => TargetType(tensor) != tensor.DataType),
        ];
    }

    /// <summary>Whether the format stores anything otherwise than the source.</summary>
    public bool IsNeeded => _concerned.Length > 0;

    /// <summary>Bytes of source that are read.</summary>
    public long SourceBytes => _concerned.Sum(tensor => tensor.ByteCount);

    /// <summary>Converts.</summary>
    /// <returns>The converted weights; they own the source from now on.</returns>
    /// <exception cref="CheckpointFormatException">A value cannot be converted.</exception>
    /// <exception cref="OperationCanceledException">Converting was cancelled.</exception>
    public Checkpoint Run(int threadCount, IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        // One piece of memory: a piece for each of tens of thousands of tensors would be slow to get and to free.
        long[] offsets = Place();
        NativeBuffer memory = new(offsets[^1]);
        try
        {
            Dictionary<string, StoredTensor> converted = [];
            for (int i = 0; i < _concerned.Length; i++)
            {
                StoredTensor source = _concerned[i];
                converted.Add(source.Name, Target(source, memory.Data + offsets[i]));
            }

            Fill(converted, threadCount, progress, cancellationToken);
            return Checkpoint.InMemory(
                _source.ModelPath,
                [.. _source.Tensors.Select(tensor => converted.GetValueOrDefault(tensor.Name, tensor))],
                [memory, _source]);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    // Scales lie behind the values.
    private StoredTensor Target(StoredTensor source, byte* memory)
    {
        DataType type = TargetType(source);
        StoredTensor target = new(source.Name, type, source.Shape, memory, source.FilePath);
        return type == DataType.Float8E4M3
            ? target.WithScales(new StoredTensor(
                source.Name, DataType.Float32, Float8Scales.BlockShape(source.Shape), memory + target.ByteCount, source.FilePath))
            : target;
    }

    private DataType TargetType(StoredTensor tensor) => PackingRecipe.TargetType(_format, tensor);

    // Where each tensor begins, and at last where they all end.
    private long[] Place()
    {
        const int Alignment = PackedLayout.AlignmentBytes;
        long[] offsets = new long[_concerned.Length + 1];
        for (int i = 0; i < _concerned.Length; i++)
        {
            StoredTensor source = _concerned[i];
            long bytes = RowConverter.ByteCount(
                TargetType(source), StoredRows.CountOf(source), StoredRows.LengthOf(source));
            offsets[i + 1] = (offsets[i] + bytes + Alignment - 1) / Alignment * Alignment;
        }

        return offsets;
    }

    private void Fill(
        Dictionary<string, StoredTensor> converted,
        int threadCount,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        long total = SourceBytes;
        long read = 0;
        long written = 0;
        long writtenScales = 0;
        using ConversionPipeline pipeline = new(threadCount);
        pipeline.Run(
            _concerned.SelectMany(source => RowChunk.Of(source, TargetType(source))),
            (chunk, bytes) =>
            {
                StoredTensor target = converted[chunk.Source.Name];
                (written, writtenScales) = chunk.FirstRow == 0 ? (0, 0) : (written, writtenScales);
                ReadOnlySpan<byte> values = bytes[..(int)chunk.TargetValueBytes];
                values.CopyTo(new Span<byte>(target.Data + written, values.Length));
                written += values.Length;
                if (target.Scales is not null)
                {
                    ReadOnlySpan<byte> scales = bytes[values.Length..];
                    scales.CopyTo(new Span<byte>(target.Scales.Data + writtenScales, scales.Length));
                    writtenScales += scales.Length;
                }

                read += chunk.SourceBytes;
                progress?.Report(new ModelLoadProgress(read, total, "converting weights"));
            },
            cancellationToken);
    }
}
