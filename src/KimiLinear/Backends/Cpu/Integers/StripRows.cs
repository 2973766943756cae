using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Consecutive rows of a GGUF matrix, 16 at a time.</summary>
internal readonly unsafe struct StripRows<TSimd, TVector, TIntegers, TInteger>(
    DataType type, byte* rows, int rowCount, int columnCount, QuantizedForm form) : IPanelSource
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    public DataType Type => type;

    public long RowBytes { get; } = type.ByteCount(columnCount);

    public byte* Start => rows;

    public byte* End => rows + (rowCount * RowBytes);

    public int BlockCount => columnCount / QuantizedRows.BlockColumns;

    /// <summary>Bytes of a row in one strip.</summary>
    public long StripBytes => type.ByteCount(StripLayout.MaxBlocks * QuantizedRows.BlockColumns);

    /// <summary>A strip and, where the last rows are fewer than 16, a copy of them.</summary>
    public long ScratchBytes => StripLayout.ByteCount + (rowCount % StripLayout.RowCount == 0 ? 0 : StripLayout.RowCount * RowBytes);

    /// <summary>Sixteen rows; what is missing to that is the last one again.</summary>
    public byte* Rows(int index, byte* scratch)
    {
        int first = index * StripLayout.RowCount;
        byte* source = rows + (first * RowBytes);
        if (first + StripLayout.RowCount <= rowCount)
        {
            return source;
        }

        byte* copy = scratch + StripLayout.ByteCount;
        for (int row = 0; row < StripLayout.RowCount; row++)
        {
            byte* from = source + (Math.Min(row, rowCount - 1 - first) * RowBytes);
            Buffer.MemoryCopy(from, copy + (row * RowBytes), RowBytes, RowBytes);
        }

        return copy;
    }

    public void Unpack(int index, WeightPanel panel, int tile, byte* scratch)
    {
        byte* source = Rows(index, scratch);
        int firstRow = tile * StripLayout.RowCount;
        new Span<float>(panel.RowScales + firstRow, StripLayout.RowCount).Fill(1);
        for (int block = 0; block < BlockCount; block += StripLayout.MaxBlocks, source += StripBytes)
        {
            int count = Math.Min(StripLayout.MaxBlocks, BlockCount - block);
            long place = ((long)block * WeightPanel.ScalesPerBlock) + firstRow;
            StripScales<TSimd, TVector, TIntegers, TInteger>.Read(
                type, source, RowBytes, count, panel.Scales + place, panel.Offsets + place, WeightPanel.ScalesPerBlock);
            if (form == QuantizedForm.Bytes)
            {
                StripPanel<TVector, TIntegers, TInteger>.PutBytes(type, source, RowBytes, count, panel, block, tile);
            }
            else
            {
                StripCodes<TVector, TIntegers, TInteger>.Widen(type, source, RowBytes, count, scratch);
                StripPanel<TVector, TIntegers, TInteger>.PutShorts(scratch, count, panel, block, tile);
            }
        }
    }
}
