using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Products of float32 rows with a stored matrix, read in place: y[t, r] = x[t] · w[r].</summary>
/// <remarks>
/// Each output is one dot product with one vector of partial sums, whatever tile computes it: the result is the same to the
/// last bit however many rows a call has and however rows are divided among threads.
/// </remarks>
internal static unsafe class MatMulKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Weight rows widened together; 16 rows of 2,304 values take 147 KB and stay in the second-level cache.
    private const int PanelRows = 16;

    // Rows of x multiplied with one widened panel before moving on, so that they stay in cache beside it.
    private const int BlockTokens = 64;

    // From this many rows of x on, widening a panel once costs less than widening in every tile.
    private const int PanelThreshold = 8;

    // From so many rows of x on, arithmetic takes longer than reading weights.
    private const int CachedTokens = 4;

    /// <summary>Values of scratch that a product needs for rows of this length.</summary>
    public static long ScratchLength(int columnCount) => (long)PanelRows * columnCount;

    /// <summary>Multiplies with some rows of a matrix; column 0 of the output belongs to the first of them.</summary>
    public static void Multiply(
        MatMulInput input,   // [T, X]
        HostMatrix matrix,   // [rows, X]
        int firstRow,
        int rowCount,
        ScratchBuffer scratch,
        MatMulOutput output, // [T, rowCount]
        int skippedRows = 0) // between these rows and those that are read next
    {
        int row = firstRow;
        int end = firstRow + rowCount;
        while (row < end)
        {
            ref readonly HostMatrix.Part part = ref matrix.PartOf(row);
            int count = Math.Min(end, part.FirstRow + part.RowCount) - row;
            long offset = (row - part.FirstRow) * (long)matrix.ColumnCount;
            int skipped = row + count == end ? skippedRows : 0;
            switch (part.DataType)
            {
                case DataType.BFloat16:
                    MultiplyStored<BFloat16Weights>(
                        input, part.Data + (offset * 2), count, matrix.ColumnCount, scratch, output, row - firstRow, skipped);
                    break;
                case DataType.Float16:
                    MultiplyStored<Float16Weights>(
                        input, part.Data + (offset * 2), count, matrix.ColumnCount, scratch, output, row - firstRow, skipped);
                    break;
                case DataType.Float32:
                    Multiply<Float32Weights>(
                        input, 0, input.Count, part.Data + (offset * 4), count, matrix.ColumnCount, output, row - firstRow);
                    break;
                case var type when HostMatrix.IsBlockType(type):
                    MultiplyBlocks(input, in part, row, count, matrix.ColumnCount, scratch, output, row - firstRow);
                    break;
                default:
                    throw new NotSupportedException($"Weights of type {part.DataType} cannot be multiplied.");
            }

            row += count;
        }
    }

    /// <summary>Multiplies with rows of float32 that lie together.</summary>
    public static void Multiply(MatMulInput input, float* rows, int rowCount, int columnCount, MatMulOutput output) =>
        Multiply<Float32Weights>(input, 0, input.Count, (byte*)rows, rowCount, columnCount, output, 0);

    /// <summary>Adds multiples of stored rows: y[t] += Σ_r x[t, r] · w[r], for the weights' transposed product.</summary>
    public static void AccumulateRows(
        MatMulInput input,   // [T, rowCount]
        HostMatrix matrix,   // [rows, X]
        int firstRow,
        int rowCount,
        ScratchBuffer scratch,
        float* output,       // [T, stride], the first X values of each row
        long outputStride,
        int skippedRows = 0) // between these rows and those that are read next
    {
        int columns = matrix.ColumnCount;
        ref readonly HostMatrix.Part part = ref matrix.PartOf(firstRow);
        if (input.Count == 1
            && part.DataType == DataType.BFloat16
            && columns % AccumulateKernel<TSimd, TVector>.ColumnStep == 0
            && rowCount % AccumulateKernel<TSimd, TVector>.RowStep == 0
            && firstRow + rowCount <= part.FirstRow + part.RowCount)
        {
            byte* rows = part.Row(firstRow);
            long rowBytes = (long)columns * BFloat16Weights.Size;
            StreamEnd end = new(rows + (rowCount * rowBytes), skippedRows * rowBytes);
            AccumulateKernel<TSimd, TVector>.Add(input.Row(0), rows, rowCount, columns, output, end);
            return;
        }

        float* widened = scratch.Get(ScratchLength(columns));
        for (int r = 0; r < rowCount; r++)
        {
            WidenRow(matrix, firstRow + r, widened);
            for (int t = 0; t < input.Count; t++)
            {
                VectorKernel<TSimd, TVector>.MultiplyAdd(widened, input.Row(t)[r], output + (t * outputStride), columns);
            }
        }
    }

    private static void WidenRow(HostMatrix matrix, int row, float* destination)
    {
        ref readonly HostMatrix.Part part = ref matrix.PartOf(row);
        long offset = (row - part.FirstRow) * (long)matrix.ColumnCount;
        switch (part.DataType)
        {
            case DataType.BFloat16:
                Widen<BFloat16Weights>(part.Data + (offset * 2), matrix.ColumnCount, destination);
                break;
            case DataType.Float16:
                Widen<Float16Weights>(part.Data + (offset * 2), matrix.ColumnCount, destination);
                break;
            case DataType.Float32:
                Widen<Float32Weights>(part.Data + (offset * 4), matrix.ColumnCount, destination);
                break;
            case var type when HostMatrix.IsBlockType(type):
                matrix.ReadRow(row, destination);
                break;
            default:
                throw new NotSupportedException($"Weights of type {part.DataType} cannot be multiplied.");
        }
    }

    private static void MultiplyStored<TFormat>(
        MatMulInput input,
        byte* rows,
        int rowCount,
        int columnCount,
        ScratchBuffer scratch,
        MatMulOutput output,
        int firstColumn,
        int skippedRows)
        where TFormat : struct, IWeightFormat
    {
        if (input.Count < PanelThreshold)
        {
            Multiply<TFormat>(input, 0, input.Count, rows, rowCount, columnCount, output, firstColumn, skippedRows);
            return;
        }

        int interleaved = MultiplyInterleaved<TFormat>(input, rows, rowCount, columnCount, scratch, output, firstColumn);
        rows += (long)interleaved * columnCount * TFormat.Size;
        rowCount -= interleaved;
        firstColumn += interleaved;
        float* panel = scratch.Get(ScratchLength(columnCount));
        for (int token = 0; token < input.Count; token += BlockTokens)
        {
            int tokenEnd = Math.Min(token + BlockTokens, input.Count);
            for (int row = 0; row < rowCount; row += PanelRows)
            {
                int count = Math.Min(PanelRows, rowCount - row);
                Widen<TFormat>(rows + ((long)row * columnCount * TFormat.Size), (long)count * columnCount, panel);
                Multiply<Float32Weights>(input, token, tokenEnd, (byte*)panel, count, columnCount, output, firstColumn + row);
            }
        }
    }

    // Returns how many rows were multiplied so.
    private static int MultiplyInterleaved<TFormat>(
        MatMulInput input, byte* rows, int rowCount, int columnCount, ScratchBuffer scratch, MatMulOutput output, int firstColumn)
        where TFormat : struct, IWeightFormat
    {
        int panelRows = InterleavedKernel<TSimd, TVector>.RowCount;
        if (typeof(TFormat) != typeof(BFloat16Weights)
            || rowCount < panelRows
            || input.Count < InterleavedKernel<TSimd, TVector>.MinInputRows
            || !InterleavedKernel<TSimd, TVector>.Fits(columnCount))
        {
            return 0;
        }

        float* panel = scratch.Get((long)panelRows * columnCount);
        int row = 0;
        for (; row + panelRows <= rowCount; row += panelRows)
        {
            InterleavedKernel<TSimd, TVector>.Interleave((ushort*)rows + ((long)row * columnCount), columnCount, panel);
            InterleavedKernel<TSimd, TVector>.Multiply(input, 0, input.Count, panel, columnCount, output, firstColumn + row);
        }

        return row;
    }

    private static void MultiplyBlocks(
        MatMulInput input,
        in HostMatrix.Part part,
        int firstRow,
        int rowCount,
        int columnCount,
        ScratchBuffer scratch,
        MatMulOutput output,
        int firstColumn)
    {
        float* panel = scratch.Get(ScratchLength(columnCount));
        for (int row = 0; row < rowCount; row += PanelRows)
        {
            int count = Math.Min(PanelRows, rowCount - row);
            part.ReadRows(firstRow + row, count, columnCount, panel);
            Multiply<Float32Weights>(input, 0, input.Count, (byte*)panel, count, columnCount, output, firstColumn + row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<TFormat>(byte* source, long count, float* destination)
        where TFormat : struct, IWeightFormat
    {
        long i = 0;
        for (; i + TSimd.Width <= count; i += TSimd.Width)
        {
            byte* values = source + (i * TFormat.Size);
            CacheLine.PrefetchKeptStream(values);
            TSimd.Store(destination + i, TFormat.Load<TSimd, TVector>(values));
        }

        if (i < count)
        {
            float* tail = stackalloc float[TSimd.Width];
            TSimd.Store(tail, DotKernel<TSimd, TVector>.LoadTail<TFormat>(source + (i * TFormat.Size), (int)(count - i)));
            for (int j = 0; i + j < count; j++)
            {
                destination[i + j] = tail[j];
            }
        }
    }

    private static void Multiply<TFormat>(
        MatMulInput input,
        int token,
        int tokenEnd,
        byte* rows,
        int rowCount,
        int columnCount,
        MatMulOutput output,
        int firstColumn,
        int skippedRows = 0)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        StreamEnd end = new(rows + (rowCount * rowBytes), skippedRows * rowBytes);
        for (int row = 0; row < rowCount; row += PanelRows)
        {
            byte* w = rows + (row * rowBytes);
            int count = Math.Min(PanelRows, rowCount - row);
            int t = token;
            if (columnCount % TSimd.Width != 0)
            {
                MultiplySingly<TFormat>(input, token, tokenEnd, w, count, columnCount, output, firstColumn + row);
                continue;
            }

            if (tokenEnd - token >= CachedTokens)
            {
                MultiplyCached<TFormat>(input, token, tokenEnd, w, count, columnCount, output, firstColumn + row);
                continue;
            }

            for (; t + 2 <= tokenEnd; t += 2)
            {
                DotKernel<TSimd, TVector>.Tile2<TFormat>(input, t, w, count, columnCount, output, firstColumn + row);
            }

            for (; t < tokenEnd; t++)
            {
                DotKernel<TSimd, TVector>.Tile1<TFormat>(input, t, w, count, columnCount, output, firstColumn + row, end);
            }
        }
    }

    // In tiles as wide as registers allow, none of them with a single row of x.
    private static void MultiplyCached<TFormat>(
        MatMulInput input,
        int token,
        int tokenEnd,
        byte* w,
        int rowCount,
        int columnCount,
        MatMulOutput output,
        int column)
        where TFormat : struct, IWeightFormat
    {
        int widest = TSimd.HasManyRegisters ? 4 : 3;
        while (token < tokenEnd)
        {
            int left = tokenEnd - token;
            int width = left == widest + 1 ? widest - 1 : Math.Min(left, widest);
            switch (width)
            {
                case 4:
                    DotKernel<TSimd, TVector>.Tile4<TFormat>(input, token, w, rowCount, columnCount, output, column);
                    break;
                case 3:
                    DotKernel<TSimd, TVector>.Tile3<TFormat>(input, token, w, rowCount, columnCount, output, column);
                    break;
                default:
                    DotKernel<TSimd, TVector>.Tile2By4<TFormat>(input, token, w, rowCount, columnCount, output, column);
                    break;
            }

            token += width;
        }
    }

    private static void MultiplySingly<TFormat>(
        MatMulInput input,
        int token,
        int tokenEnd,
        byte* rows,
        int rowCount,
        int columnCount,
        MatMulOutput output,
        int firstColumn)
        where TFormat : struct, IWeightFormat
    {
        for (int t = token; t < tokenEnd; t++)
        {
            MatMulRow target = output.Row(t, firstColumn);
            for (int row = 0; row < rowCount; row++)
            {
                byte* w = rows + ((long)row * columnCount * TFormat.Size);
                target.Put(row, DotKernel<TSimd, TVector>.Dot<TFormat>(input.Row(t), w, columnCount));
            }
        }
    }
}
