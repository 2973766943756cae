using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Consecutive rows of a tensor on their way into another type, or the same.</summary>
/// <param name="Source">The tensor.</param>
/// <param name="Type">What the rows become.</param>
/// <param name="FirstRow">The first row.</param>
/// <param name="RowCount">How many rows.</param>
internal sealed record RowChunk(StoredTensor Source, DataType Type, long FirstRow, int RowCount)
{
    // Enough to make handing out work cheap, few enough that a chunk's float32 values take 4 MB.
    private const long ValuesPerChunk = 1 << 20;

    /// <summary>Whether the rows stay as they are.</summary>
    public bool IsCopy => Type == Source.DataType;

    /// <summary>Whether these are the last rows of the tensor.</summary>
    public bool IsLast => FirstRow + RowCount == StoredRows.CountOf(Source);

    /// <summary>Bytes the rows take as they are.</summary>
    public long SourceBytes => Source.ByteCount / StoredRows.CountOf(Source) * RowCount;

    /// <summary>Bytes the rows take in the new type, scales included.</summary>
    public long TargetBytes => RowConverter.ByteCount(Type, RowCount, StoredRows.LengthOf(Source));

    /// <summary>Bytes of them before the scales.</summary>
    public long TargetValueBytes => RowConverter.ValueByteCount(Type, RowCount, StoredRows.LengthOf(Source));

    /// <summary>The rows as they are.</summary>
    public unsafe ReadOnlySpan<byte> SourceData =>
        new(Source.Data + (Source.ByteCount / StoredRows.CountOf(Source) * FirstRow), checked((int)SourceBytes));

    /// <summary>Gives up the memory that reading the source took, if it lies in a mapped file.</summary>
    public unsafe void ReleaseSource()
    {
        if (Source.IsMapped)
        {
            ReadOnlySpan<byte> data = SourceData;
            fixed (byte* first = data)
            {
                MappedPages.Release(first, data.Length);
            }
        }
    }

    /// <summary>Cuts a tensor into chunks of rows that can be converted by themselves.</summary>
    public static IEnumerable<RowChunk> Of(StoredTensor source, DataType type)
    {
        long rows = StoredRows.CountOf(source);
        long columns = Math.Max(StoredRows.LengthOf(source), 1);
        int granule = RowConverter.RowGranule(type);
        long granules = Math.Max(ValuesPerChunk / columns / granule, 1);
        int chunkRows = (int)Math.Min(granules * granule, int.MaxValue / granule * granule);
        for (long row = 0; row < rows; row += chunkRows)
        {
            yield return new RowChunk(source, type, row, (int)Math.Min(chunkRows, rows - row));
        }
    }
}
