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
        for (int start = 0; start < length; start += BlockVectors * 2 * TSimd.Width)
        {
            Operands block = new(
                queries + start,
                queryStride,
                queryScales,
                rows + start,
                rowStride,
                rowScales,
                Math.Min(BlockVectors * 2 * TSimd.Width, length - start),
                add || start > 0,
                scores);
            for (int row = 0; row < rowCount; row += RowBlock)
            {
                int rowEnd = Math.Min(row + RowBlock, rowCount);
                for (int query = 0; query < queryCount; query += 4)
                {
                    for (int r = row; r < rowEnd; r += 4)
                    {
                        Tile(block, query, r);
                    }
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

    private static void Tile(in Operands block, int query, int row)
    {
        if (TSimd.HasManyRegisters)
        {
            Tile4(block, query, row);
            return;
        }

        for (int i = 0; i < 4; i++)
        {
            Tile1(block, query + i, row);
        }
    }

    // Four queries by four rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in Operands block, int query, int row)
    {
        float* q0 = block.Query(query);
        float* q1 = block.Query(query + 1);
        float* q2 = block.Query(query + 2);
        float* q3 = block.Query(query + 3);
        float* r0 = block.Row(row);
        float* r1 = block.Row(row + 1);
        float* r2 = block.Row(row + 2);
        float* r3 = block.Row(row + 3);
        int length = block.PairCount;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
        for (int i = 0; i < length; i += TSimd.Width)
        {
            TVector a0 = TSimd.Load(q0 + i);
            TVector a1 = TSimd.Load(q1 + i);
            TVector a2 = TSimd.Load(q2 + i);
            TVector a3 = TSimd.Load(q3 + i);
            TVector b0 = TSimd.Load(r0 + i);
            s00 = TSimd.MultiplyAddPairs(a0, b0, s00);
            s10 = TSimd.MultiplyAddPairs(a1, b0, s10);
            s20 = TSimd.MultiplyAddPairs(a2, b0, s20);
            s30 = TSimd.MultiplyAddPairs(a3, b0, s30);
            TVector b1 = TSimd.Load(r1 + i);
            s01 = TSimd.MultiplyAddPairs(a0, b1, s01);
            s11 = TSimd.MultiplyAddPairs(a1, b1, s11);
            s21 = TSimd.MultiplyAddPairs(a2, b1, s21);
            s31 = TSimd.MultiplyAddPairs(a3, b1, s31);
            TVector b2 = TSimd.Load(r2 + i);
            s02 = TSimd.MultiplyAddPairs(a0, b2, s02);
            s12 = TSimd.MultiplyAddPairs(a1, b2, s12);
            s22 = TSimd.MultiplyAddPairs(a2, b2, s22);
            s32 = TSimd.MultiplyAddPairs(a3, b2, s32);
            TVector b3 = TSimd.Load(r3 + i);
            s03 = TSimd.MultiplyAddPairs(a0, b3, s03);
            s13 = TSimd.MultiplyAddPairs(a1, b3, s13);
            s23 = TSimd.MultiplyAddPairs(a2, b3, s23);
            s33 = TSimd.MultiplyAddPairs(a3, b3, s33);
        }

        block.Put(query, row, Sum4(s00, s01, s02, s03));
        block.Put(query + 1, row, Sum4(s10, s11, s12, s13));
        block.Put(query + 2, row, Sum4(s20, s21, s22, s23));
        block.Put(query + 3, row, Sum4(s30, s31, s32, s33));
    }

    // One query by four rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(in Operands block, int query, int row)
    {
        float* q = block.Query(query);
        float* r0 = block.Row(row);
        float* r1 = block.Row(row + 1);
        float* r2 = block.Row(row + 2);
        float* r3 = block.Row(row + 3);
        int length = block.PairCount;
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        for (int i = 0; i < length; i += TSimd.Width)
        {
            TVector a = TSimd.Load(q + i);
            s0 = TSimd.MultiplyAddPairs(a, TSimd.Load(r0 + i), s0);
            s1 = TSimd.MultiplyAddPairs(a, TSimd.Load(r1 + i), s1);
            s2 = TSimd.MultiplyAddPairs(a, TSimd.Load(r2 + i), s2);
            s3 = TSimd.MultiplyAddPairs(a, TSimd.Load(r3 + i), s3);
        }

        block.Put(query, row, Sum4(s0, s1, s2, s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Sum4(TVector a, TVector b, TVector c, TVector d) => TSimd.Sum4(
        TSimd.ConvertToFloat(a), TSimd.ConvertToFloat(b), TSimd.ConvertToFloat(c), TSimd.ConvertToFloat(d));

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
