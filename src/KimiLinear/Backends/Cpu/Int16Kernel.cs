using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>Rounding to integers of 16 bits, and scores of query rows with cached rows, both in such integers.</summary>
/// <remarks>
/// Sums of 32 bits are exact as long as they do not overflow, which the scale of a query prevents: its integers are as large as
/// no cached row could make overflow.
/// </remarks>
internal static unsafe class Int16Kernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Vectors of integers whose products are added up before they become float32.
    private const int BlockVectors = 8;

    // A lane adds two products per vector; each query value may be rounded up by a half.
    private const float LargestSum = (int.MaxValue / LatentRows.LargestInteger) - (2 * BlockVectors * 0.5f) - 1;

    // Cached rows taken together, so that they stay in the first-level cache while all queries meet them.
    private const int RowBlock = 16;

    /// <summary>Rounds a row to integers up to a limit, zeros behind them, and returns what they are multiples of.</summary>
    public static float Quantise(float* x, int length, float limit, short* y, int paddedLength)
    {
        float largest = LargestMagnitude(x, length);
        Round(x, Reciprocal(largest / limit), y, length);
        new Span<short>(y + length, paddedLength - length).Clear();
        return largest / limit;
    }

    /// <summary>Rounds a part of a query, whose length is a multiple of 32, and returns what its integers are multiples of.</summary>
    public static float QuantiseQuery(float* x, int length, short* y)
    {
        float scale = LargestMagnitude(x, length) / short.MaxValue;
        for (int i = 0; i < length; i += BlockVectors * 2 * TSimd.Width)
        {
            float sum = LaneSum(x + i, Math.Min(BlockVectors * 2 * TSimd.Width, length - i));
            scale = MathF.Max(scale, sum / LargestSum);
        }

        Round(x, Reciprocal(scale), y, length);
        return scale;
    }

    /// <summary>
    /// Rounds up to 32 values of a query, zeros behind them, so that their products with a key may all meet in one lane.
    /// </summary>
    public static float QuantiseForSum(float* x, int length, short* y, int paddedLength)
    {
        float scale = MathF.Max(LargestMagnitude(x, length) / short.MaxValue, MagnitudeSum(x, length) / LargestSum);
        Round(x, Reciprocal(scale), y, length);
        new Span<short>(y + length, paddedLength - length).Clear();
        return scale;
    }

    /// <summary>Scores of queries with the rows of a page, one part of both; numbers of rows are multiples of four.</summary>
    public static void Scores(
        short* queries, // [queryCount, stride], the first length integers of each
        long queryStride,
        float* queryScales,
        int queryCount,
        short* rows,    // [rowCount, stride], the first length integers of each
        long rowStride,
        float* rowScales,
        int rowCount,
        int length,     // a multiple of 32
        bool add,
        float* scores)  // [queryCount, PageTokens]
    {
        Operands operands = new(queries, queryStride, queryScales, rows, rowStride, rowScales, length, add, scores);
        for (int row = 0; row < rowCount; row += RowBlock)
        {
            int rowEnd = Math.Min(row + RowBlock, rowCount);
            for (int query = 0; query < queryCount; query += 4)
            {
                for (int r = row; r < rowEnd; r += 4)
                {
                    Tile(operands, query, r);
                }
            }
        }
    }

    /// <summary>Puts the integers of two neighbouring rows into one lane each, 64 columns at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRowPairs(
        short* rows,     // [2 · pairCount, stride], the first length integers of each
        long rowStride,
        int pairCount,
        int length,      // a multiple of 32
        float* packed)   // [length / 64, PageTokens / 2, 64]
    {
        for (int column = 0; column < length; column += PairProduct<TSimd, TVector>.BlockWidth)
        {
            int width = Math.Min(PairProduct<TSimd, TVector>.BlockWidth, length - column);
            float* block = packed + ((long)column * (CacheLayout.PageTokens / 2));
            for (int pair = 0; pair < pairCount; pair++)
            {
                short* lower = rows + (2 * pair * rowStride) + column;
                for (int i = 0; i < width; i += TSimd.Width)
                {
                    TSimd.Store(block + i, TSimd.LoadPairs(lower + i, lower + rowStride + i));
                }

                block += PairProduct<TSimd, TVector>.BlockWidth;
            }
        }
    }

    private static void Tile(in Operands operands, int query, int row)
    {
        if (TSimd.HasManyRegisters)
        {
            Tile4(operands, query, row);
            return;
        }

        Tile2(operands, query, row);
        Tile2(operands, query + 2, row);
    }

    // Four queries by four rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile4(in Operands operands, int query, int row)
    {
        float* q0 = operands.Query(query);
        float* q1 = operands.Query(query + 1);
        float* q2 = operands.Query(query + 2);
        float* q3 = operands.Query(query + 3);
        float* r0 = operands.Row(row);
        float* r1 = operands.Row(row + 1);
        float* r2 = operands.Row(row + 2);
        float* r3 = operands.Row(row + 3);
        long length = operands.PairCount;
        TVector y00 = TSimd.Zero, y01 = TSimd.Zero, y02 = TSimd.Zero, y03 = TSimd.Zero;
        TVector y10 = TSimd.Zero, y11 = TSimd.Zero, y12 = TSimd.Zero, y13 = TSimd.Zero;
        TVector y20 = TSimd.Zero, y21 = TSimd.Zero, y22 = TSimd.Zero, y23 = TSimd.Zero;
        TVector y30 = TSimd.Zero, y31 = TSimd.Zero, y32 = TSimd.Zero, y33 = TSimd.Zero;
        for (long start = 0, end; start < length; start = end)
        {
            end = Math.Min(start + (BlockVectors * TSimd.Width), length);
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
            TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
            for (long i = start; i < end; i += TSimd.Width)
            {
                TVector a0 = TSimd.Load(q0 + i);
                TVector a1 = TSimd.Load(q1 + i);
                TVector a2 = TSimd.Load(q2 + i);
                TVector a3 = TSimd.Load(q3 + i);
                TVector b = TSimd.Load(r0 + i);
                s00 = TSimd.MultiplyAddPairs(a0, b, s00);
                s10 = TSimd.MultiplyAddPairs(a1, b, s10);
                s20 = TSimd.MultiplyAddPairs(a2, b, s20);
                s30 = TSimd.MultiplyAddPairs(a3, b, s30);
                b = TSimd.Load(r1 + i);
                s01 = TSimd.MultiplyAddPairs(a0, b, s01);
                s11 = TSimd.MultiplyAddPairs(a1, b, s11);
                s21 = TSimd.MultiplyAddPairs(a2, b, s21);
                s31 = TSimd.MultiplyAddPairs(a3, b, s31);
                b = TSimd.Load(r2 + i);
                s02 = TSimd.MultiplyAddPairs(a0, b, s02);
                s12 = TSimd.MultiplyAddPairs(a1, b, s12);
                s22 = TSimd.MultiplyAddPairs(a2, b, s22);
                s32 = TSimd.MultiplyAddPairs(a3, b, s32);
                b = TSimd.Load(r3 + i);
                s03 = TSimd.MultiplyAddPairs(a0, b, s03);
                s13 = TSimd.MultiplyAddPairs(a1, b, s13);
                s23 = TSimd.MultiplyAddPairs(a2, b, s23);
                s33 = TSimd.MultiplyAddPairs(a3, b, s33);
            }

            y00 = TSimd.Add(y00, TSimd.ConvertToFloat(s00));
            y01 = TSimd.Add(y01, TSimd.ConvertToFloat(s01));
            y02 = TSimd.Add(y02, TSimd.ConvertToFloat(s02));
            y03 = TSimd.Add(y03, TSimd.ConvertToFloat(s03));
            y10 = TSimd.Add(y10, TSimd.ConvertToFloat(s10));
            y11 = TSimd.Add(y11, TSimd.ConvertToFloat(s11));
            y12 = TSimd.Add(y12, TSimd.ConvertToFloat(s12));
            y13 = TSimd.Add(y13, TSimd.ConvertToFloat(s13));
            y20 = TSimd.Add(y20, TSimd.ConvertToFloat(s20));
            y21 = TSimd.Add(y21, TSimd.ConvertToFloat(s21));
            y22 = TSimd.Add(y22, TSimd.ConvertToFloat(s22));
            y23 = TSimd.Add(y23, TSimd.ConvertToFloat(s23));
            y30 = TSimd.Add(y30, TSimd.ConvertToFloat(s30));
            y31 = TSimd.Add(y31, TSimd.ConvertToFloat(s31));
            y32 = TSimd.Add(y32, TSimd.ConvertToFloat(s32));
            y33 = TSimd.Add(y33, TSimd.ConvertToFloat(s33));
        }

        operands.Put(query, row, TSimd.Sum4(y00, y01, y02, y03));
        operands.Put(query + 1, row, TSimd.Sum4(y10, y11, y12, y13));
        operands.Put(query + 2, row, TSimd.Sum4(y20, y21, y22, y23));
        operands.Put(query + 3, row, TSimd.Sum4(y30, y31, y32, y33));
    }

    // Two queries by four rows, for machines with 16 registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile2(in Operands operands, int query, int row)
    {
        float* q0 = operands.Query(query);
        float* q1 = operands.Query(query + 1);
        float* r0 = operands.Row(row);
        float* r1 = operands.Row(row + 1);
        float* r2 = operands.Row(row + 2);
        float* r3 = operands.Row(row + 3);
        long length = operands.PairCount;
        TVector y00 = TSimd.Zero, y01 = TSimd.Zero, y02 = TSimd.Zero, y03 = TSimd.Zero;
        TVector y10 = TSimd.Zero, y11 = TSimd.Zero, y12 = TSimd.Zero, y13 = TSimd.Zero;
        for (long start = 0, end; start < length; start = end)
        {
            end = Math.Min(start + (BlockVectors * TSimd.Width), length);
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            for (long i = start; i < end; i += TSimd.Width)
            {
                TVector a0 = TSimd.Load(q0 + i);
                TVector a1 = TSimd.Load(q1 + i);
                TVector b = TSimd.Load(r0 + i);
                s00 = TSimd.MultiplyAddPairs(a0, b, s00);
                s10 = TSimd.MultiplyAddPairs(a1, b, s10);
                b = TSimd.Load(r1 + i);
                s01 = TSimd.MultiplyAddPairs(a0, b, s01);
                s11 = TSimd.MultiplyAddPairs(a1, b, s11);
                b = TSimd.Load(r2 + i);
                s02 = TSimd.MultiplyAddPairs(a0, b, s02);
                s12 = TSimd.MultiplyAddPairs(a1, b, s12);
                b = TSimd.Load(r3 + i);
                s03 = TSimd.MultiplyAddPairs(a0, b, s03);
                s13 = TSimd.MultiplyAddPairs(a1, b, s13);
            }

            y00 = TSimd.Add(y00, TSimd.ConvertToFloat(s00));
            y01 = TSimd.Add(y01, TSimd.ConvertToFloat(s01));
            y02 = TSimd.Add(y02, TSimd.ConvertToFloat(s02));
            y03 = TSimd.Add(y03, TSimd.ConvertToFloat(s03));
            y10 = TSimd.Add(y10, TSimd.ConvertToFloat(s10));
            y11 = TSimd.Add(y11, TSimd.ConvertToFloat(s11));
            y12 = TSimd.Add(y12, TSimd.ConvertToFloat(s12));
            y13 = TSimd.Add(y13, TSimd.ConvertToFloat(s13));
        }

        operands.Put(query, row, TSimd.Sum4(y00, y01, y02, y03));
        operands.Put(query + 1, row, TSimd.Sum4(y10, y11, y12, y13));
    }

    // Zero where there is nothing to divide by: such rows are all zeros, or no numbers.
    private static float Reciprocal(float scale) => float.IsFinite(1 / scale) ? 1 / scale : 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float LargestMagnitude(float* x, int length)
    {
        TVector largest = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector value = TSimd.Load(x + i);
            largest = TSimd.Max(largest, TSimd.Max(value, TSimd.Subtract(TSimd.Zero, value)));
        }

        float result = TSimd.MaxAcross(largest);
        for (; i < length; i++)
        {
            result = MathF.Max(result, MathF.Abs(x[i]));
        }

        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MagnitudeSum(float* x, int length)
    {
        TVector sums = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TVector value = TSimd.Load(x + i);
            sums = TSimd.Add(sums, TSimd.Max(value, TSimd.Subtract(TSimd.Zero, value)));
        }

        float sum = TSimd.Sum(sums);
        for (; i < length; i++)
        {
            sum += MathF.Abs(x[i]);
        }

        return sum;
    }

    // The largest sum of magnitudes that meet in one lane.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float LaneSum(float* x, int length)
    {
        TVector first = TSimd.Zero;
        TVector second = TSimd.Zero;
        for (int i = 0; i < length; i += 2 * TSimd.Width)
        {
            TVector a = TSimd.Load(x + i);
            TVector b = TSimd.Load(x + i + TSimd.Width);
            first = TSimd.Add(first, TSimd.Max(a, TSimd.Subtract(TSimd.Zero, a)));
            second = TSimd.Add(second, TSimd.Max(b, TSimd.Subtract(TSimd.Zero, b)));
        }

        float* sums = stackalloc float[2 * TSimd.Width];
        TSimd.Store(sums, first);
        TSimd.Store(sums + TSimd.Width, second);
        float largest = 0;
        for (int lane = 0; lane < TSimd.Width; lane++)
        {
            largest = MathF.Max(largest, sums[2 * lane] + sums[(2 * lane) + 1]);
        }

        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Round(float* x, float factor, short* y, int length)
    {
        TVector factors = TSimd.Broadcast(factor);
        int i = 0;
        for (; i + TSimd.Width <= length; i += TSimd.Width)
        {
            TSimd.StoreInt16(y + i, TSimd.Multiply(TSimd.Load(x + i), factors));
        }

        for (; i < length; i++)
        {
            y[i] = (short)MathF.Round(x[i] * factor);
        }
    }

    private readonly struct Operands(
        short* queries,
        long queryStride,
        float* queryScales,
        short* rows,
        long rowStride,
        float* rowScales,
        int length,
        bool add,
        float* scores)
    {
        public int PairCount { get; } = length / 2;

        public float* Query(int index) => (float*)(queries + (index * queryStride));

        public float* Row(int index) => (float*)(rows + (index * rowStride));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Put(int query, int row, Vector128<float> sums)
        {
            float* target = scores + (query * CacheLayout.PageTokens) + row;
            Vector128<float> scaled = sums * Vector128.Load(rowScales + row) * queryScales[query];
            (add ? Vector128.Load(target) + scaled : scaled).Store(target);
        }
    }
}
