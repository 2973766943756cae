using System.Runtime.Intrinsics.X86;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Consecutive rows of a GGUF matrix, 16 at a time.</summary>
internal readonly unsafe struct StripRows<TFormat, TSimd, TVector, TIntegers, TInteger>(
    byte* rows, int rowCount, int columnCount, QuantizedForm form) : IPanelSource
    where TFormat : struct, IStripFormat
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    public long RowBytes { get; } = TFormat.Type.ByteCount(columnCount);

    public int BlockCount => columnCount / QuantizedRows.BlockColumns;

    /// <summary>Bytes of a row in one strip.</summary>
    public long StripBytes { get; } = TFormat.Type.ByteCount(StripLayout.MaxBlocks * QuantizedRows.BlockColumns);

    /// <summary>A strip and, where the last rows are fewer than 16, a copy of them.</summary>
    public long ScratchBytes =>
        StripLayout.ByteCount + (rowCount % StripLayout.RowCount == 0 ? 0 : StripLayout.RowCount * RowBytes);

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

    /// <summary>Asks for some bytes, counted from the first row, that will be read soon; fewer when the rows end before.</summary>
    /// <remarks>
    /// Sixteen rows are read side by side, which no machine foresees. But together they lie in one piece, which is fetched while
    /// the sixteen before are computed.
    /// </remarks>
    public void Prefetch(long start, long byteCount)
    {
        if (Sse.IsSupported)
        {
            long end = Math.Min(start + byteCount, rowCount * RowBytes);
            for (long place = start; place < end; place += CacheLine.ByteCount)
            {
                Sse.Prefetch1(rows + place);
            }
        }
    }

    public void Unpack(int index, WeightPanel panel, int tile, byte* scratch)
    {
        byte* source = Rows(index, scratch);
        int firstRow = tile * StripLayout.RowCount;
        new Span<float>(panel.RowScales + firstRow, StripLayout.RowCount).Fill(1);
        long next = (index + 1) * StripLayout.RowCount * RowBytes;
        for (int block = 0; block < BlockCount; block += StripLayout.MaxBlocks)
        {
            int count = Math.Min(StripLayout.MaxBlocks, BlockCount - block);
            long place = ((long)block * WeightPanel.ScalesPerBlock) + firstRow;
            StripScales<TSimd, TVector, TIntegers, TInteger>.Read<TFormat>(
                source, RowBytes, count, panel.Scales + place, panel.Offsets + place, WeightPanel.ScalesPerBlock);
            if (form == QuantizedForm.Bytes)
            {
                StripPanel<TVector, TIntegers, TInteger>.PutBytes(TFormat.Type, source, RowBytes, count, panel, block, tile);
            }
            else
            {
                StripCodes<TVector, TIntegers, TInteger>.Widen<TFormat>(source, RowBytes, count, scratch);
                StripPanel<TVector, TIntegers, TInteger>.PutShorts(scratch, count, panel, block, tile);
            }

            source += StripBytes;
            Prefetch(next, StripLayout.RowCount * StripBytes);
            next += StripLayout.RowCount * StripBytes;
        }
    }
}
