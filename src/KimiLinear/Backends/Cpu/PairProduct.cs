using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Products of rows of 16-bit integers with packed columns, two values of a row at a time.</summary>
/// <remarks>
/// A lane holds two values that follow each other along the sum. Sums of 32 bits are exact; the caller keeps them from
/// overflowing by the number of pairs.
/// </remarks>
internal static unsafe class PairProduct<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Columns packed together, and so the number of lanes from one pair to the next.</summary>
    public const int BlockWidth = 64;

    /// <summary>y[i, c] = keep[i] · y[i, c] + rowScales[i] · columnScales[c] · Σ_k left[i, k] · right[k, c].</summary>
    public static void Multiply(in Operands operands)
    {
        int column = 0;
        if (TSimd.HasManyRegisters)
        {
            for (; column + (4 * TSimd.Width) <= operands.Width; column += 4 * TSimd.Width)
            {
                for (int row = 0; row < operands.RowCount; row += 4)
                {
                    Tile4(operands, row, column);
                }
            }
        }

        for (; column < operands.Width; column += 2 * TSimd.Width)
        {
            for (int row = 0; row < operands.RowCount; row += 4)
            {
                Tile2(operands, row, column);
            }
        }
    }

    // Four rows by four vectors.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(in Operands operands, int row, int column)
    {
        float* a0 = operands.LeftRow(row);
        float* a1 = operands.LeftRow(row + 1);
        float* a2 = operands.LeftRow(row + 2);
        float* a3 = operands.LeftRow(row + 3);
        float* b = operands.Right + column;
        int pairCount = operands.PairCount;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
        for (int k = 0; k < pairCount; k++, b += BlockWidth)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + TSimd.Width);
            TVector b2 = TSimd.Load(b + (2 * TSimd.Width));
            TVector b3 = TSimd.Load(b + (3 * TSimd.Width));
            TVector a = TSimd.Broadcast(a0[k]);
            s00 = TSimd.MultiplyAddPairs(a, b0, s00);
            s01 = TSimd.MultiplyAddPairs(a, b1, s01);
            s02 = TSimd.MultiplyAddPairs(a, b2, s02);
            s03 = TSimd.MultiplyAddPairs(a, b3, s03);
            a = TSimd.Broadcast(a1[k]);
            s10 = TSimd.MultiplyAddPairs(a, b0, s10);
            s11 = TSimd.MultiplyAddPairs(a, b1, s11);
            s12 = TSimd.MultiplyAddPairs(a, b2, s12);
            s13 = TSimd.MultiplyAddPairs(a, b3, s13);
            a = TSimd.Broadcast(a2[k]);
            s20 = TSimd.MultiplyAddPairs(a, b0, s20);
            s21 = TSimd.MultiplyAddPairs(a, b1, s21);
            s22 = TSimd.MultiplyAddPairs(a, b2, s22);
            s23 = TSimd.MultiplyAddPairs(a, b3, s23);
            a = TSimd.Broadcast(a3[k]);
            s30 = TSimd.MultiplyAddPairs(a, b0, s30);
            s31 = TSimd.MultiplyAddPairs(a, b1, s31);
            s32 = TSimd.MultiplyAddPairs(a, b2, s32);
            s33 = TSimd.MultiplyAddPairs(a, b3, s33);
        }

        operands.Put(row, column, s00, s01);
        operands.Put(row, column + (2 * TSimd.Width), s02, s03);
        operands.Put(row + 1, column, s10, s11);
        operands.Put(row + 1, column + (2 * TSimd.Width), s12, s13);
        operands.Put(row + 2, column, s20, s21);
        operands.Put(row + 2, column + (2 * TSimd.Width), s22, s23);
        operands.Put(row + 3, column, s30, s31);
        operands.Put(row + 3, column + (2 * TSimd.Width), s32, s33);
    }

    // Four rows by two vectors.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(in Operands operands, int row, int column)
    {
        float* a0 = operands.LeftRow(row);
        float* a1 = operands.LeftRow(row + 1);
        float* a2 = operands.LeftRow(row + 2);
        float* a3 = operands.LeftRow(row + 3);
        float* b = operands.Right + column;
        int pairCount = operands.PairCount;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero;
        for (int k = 0; k < pairCount; k++, b += BlockWidth)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + TSimd.Width);
            TVector a = TSimd.Broadcast(a0[k]);
            s00 = TSimd.MultiplyAddPairs(a, b0, s00);
            s01 = TSimd.MultiplyAddPairs(a, b1, s01);
            a = TSimd.Broadcast(a1[k]);
            s10 = TSimd.MultiplyAddPairs(a, b0, s10);
            s11 = TSimd.MultiplyAddPairs(a, b1, s11);
            a = TSimd.Broadcast(a2[k]);
            s20 = TSimd.MultiplyAddPairs(a, b0, s20);
            s21 = TSimd.MultiplyAddPairs(a, b1, s21);
            a = TSimd.Broadcast(a3[k]);
            s30 = TSimd.MultiplyAddPairs(a, b0, s30);
            s31 = TSimd.MultiplyAddPairs(a, b1, s31);
        }

        operands.Put(row, column, s00, s01);
        operands.Put(row + 1, column, s10, s11);
        operands.Put(row + 2, column, s20, s21);
        operands.Put(row + 3, column, s30, s31);
    }

    /// <summary>What is multiplied, and where the result goes.</summary>
    internal ref struct Operands
    {
        public short* Left;         // [RowCount, stride], pairs of neighbours
        public long LeftStride;
        public int RowCount;        // a multiple of four
        public float* Right;        // [PairCount, BlockWidth], lanes of two integers
        public int PairCount;
        public int Width;           // columns, a multiple of 32
        public float* RowScales;    // [RowCount]
        public float* ColumnScales; // [Width], or null for ones
        public float* Keep;         // [RowCount], or null for ones
        public bool Sets;           // whether what was in the output does not count
        public float* Output;       // [RowCount, stride]
        public long OutputStride;

        public readonly float* LeftRow(int row) => (float*)(Left + (row * LeftStride));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Put(int row, int column, TVector first, TVector second)
        {
            float* target = Output + (row * OutputStride) + column;
            TVector scale = TSimd.Broadcast(RowScales[row]);
            TVector x = TSimd.Multiply(TSimd.ConvertToFloat(first), scale);
            TVector y = TSimd.Multiply(TSimd.ConvertToFloat(second), scale);
            if (ColumnScales != null)
            {
                x = TSimd.Multiply(x, TSimd.Load(ColumnScales + column));
                y = TSimd.Multiply(y, TSimd.Load(ColumnScales + column + TSimd.Width));
            }

            if (!Sets)
            {
                TVector keep = TSimd.Broadcast(Keep == null ? 1 : Keep[row]);
                x = TSimd.MultiplyAdd(TSimd.Load(target), keep, x);
                y = TSimd.MultiplyAdd(TSimd.Load(target + TSimd.Width), keep, y);
            }

            TSimd.Store(target, x);
            TSimd.Store(target + TSimd.Width, y);
        }
    }
}
