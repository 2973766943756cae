using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Register tiles of dot products. Unrolled by hand: sums in local variables stay in registers.</summary>
/// <remarks>
/// The large tiles are never inlined: in a larger method the JIT reads pointers from the stack in every round.
/// Tiles take rows whose length is a multiple of the vector's, and leave rows over that are no multiple of four to single dot
/// products. A sum has the same bits whichever of the two computes it.
/// </remarks>
internal static unsafe class DotKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Four rows of x by rows of weights, four at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Tile4<TFormat>(
        MatMulInput input, int token, byte* w, int rowCount, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        float* x2 = input.Row(token + 2);
        float* x3 = input.Row(token + 3);
        MatMulRow y0 = output.Row(token, column);
        MatMulRow y1 = output.Row(token + 1, column);
        MatMulRow y2 = output.Row(token + 2, column);
        MatMulRow y3 = output.Row(token + 3, column);
        int row = 0;
        for (; row + 4 <= rowCount; row += 4, w += 4 * rowBytes)
        {
            byte* w1 = w + rowBytes;
            byte* w2 = w1 + rowBytes;
            byte* w3 = w2 + rowBytes;
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
            TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
            for (int i = 0; i < columnCount; i += TSimd.Width)
            {
                long offset = (long)i * TFormat.Size;
                TVector a0 = TSimd.Load(x0 + i);
                TVector a1 = TSimd.Load(x1 + i);
                TVector a2 = TSimd.Load(x2 + i);
                TVector a3 = TSimd.Load(x3 + i);
                TVector b0 = TFormat.Load<TSimd, TVector>(w + offset);
                s00 = TSimd.MultiplyAdd(a0, b0, s00);
                s10 = TSimd.MultiplyAdd(a1, b0, s10);
                s20 = TSimd.MultiplyAdd(a2, b0, s20);
                s30 = TSimd.MultiplyAdd(a3, b0, s30);
                TVector b1 = TFormat.Load<TSimd, TVector>(w1 + offset);
                s01 = TSimd.MultiplyAdd(a0, b1, s01);
                s11 = TSimd.MultiplyAdd(a1, b1, s11);
                s21 = TSimd.MultiplyAdd(a2, b1, s21);
                s31 = TSimd.MultiplyAdd(a3, b1, s31);
                TVector b2 = TFormat.Load<TSimd, TVector>(w2 + offset);
                s02 = TSimd.MultiplyAdd(a0, b2, s02);
                s12 = TSimd.MultiplyAdd(a1, b2, s12);
                s22 = TSimd.MultiplyAdd(a2, b2, s22);
                s32 = TSimd.MultiplyAdd(a3, b2, s32);
                TVector b3 = TFormat.Load<TSimd, TVector>(w3 + offset);
                s03 = TSimd.MultiplyAdd(a0, b3, s03);
                s13 = TSimd.MultiplyAdd(a1, b3, s13);
                s23 = TSimd.MultiplyAdd(a2, b3, s23);
                s33 = TSimd.MultiplyAdd(a3, b3, s33);
            }

            y0.Put4(row, TSimd.Sum4(s00, s01, s02, s03));
            y1.Put4(row, TSimd.Sum4(s10, s11, s12, s13));
            y2.Put4(row, TSimd.Sum4(s20, s21, s22, s23));
            y3.Put4(row, TSimd.Sum4(s30, s31, s32, s33));
        }

        for (; row < rowCount; row++, w += rowBytes)
        {
            y0.Put(row, Dot<TFormat>(x0, w, columnCount));
            y1.Put(row, Dot<TFormat>(x1, w, columnCount));
            y2.Put(row, Dot<TFormat>(x2, w, columnCount));
            y3.Put(row, Dot<TFormat>(x3, w, columnCount));
        }
    }

    /// <summary>Three rows of x by rows of weights, four at a time, for weights in cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Tile3<TFormat>(
        MatMulInput input, int token, byte* w, int rowCount, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        float* x2 = input.Row(token + 2);
        MatMulRow y0 = output.Row(token, column);
        MatMulRow y1 = output.Row(token + 1, column);
        MatMulRow y2 = output.Row(token + 2, column);
        int row = 0;
        for (; row + 4 <= rowCount; row += 4, w += 4 * rowBytes)
        {
            byte* w1 = w + rowBytes;
            byte* w2 = w1 + rowBytes;
            byte* w3 = w2 + rowBytes;
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
            for (long i = 0; i < columnCount; i += TSimd.Width)
            {
                long offset = i * TFormat.Size;
                TVector a0 = TSimd.Load(x0 + i);
                TVector a1 = TSimd.Load(x1 + i);
                TVector a2 = TSimd.Load(x2 + i);
                TVector b = TFormat.Load<TSimd, TVector>(w + offset);
                s00 = TSimd.MultiplyAdd(a0, b, s00);
                s10 = TSimd.MultiplyAdd(a1, b, s10);
                s20 = TSimd.MultiplyAdd(a2, b, s20);
                b = TFormat.Load<TSimd, TVector>(w1 + offset);
                s01 = TSimd.MultiplyAdd(a0, b, s01);
                s11 = TSimd.MultiplyAdd(a1, b, s11);
                s21 = TSimd.MultiplyAdd(a2, b, s21);
                b = TFormat.Load<TSimd, TVector>(w2 + offset);
                s02 = TSimd.MultiplyAdd(a0, b, s02);
                s12 = TSimd.MultiplyAdd(a1, b, s12);
                s22 = TSimd.MultiplyAdd(a2, b, s22);
                b = TFormat.Load<TSimd, TVector>(w3 + offset);
                s03 = TSimd.MultiplyAdd(a0, b, s03);
                s13 = TSimd.MultiplyAdd(a1, b, s13);
                s23 = TSimd.MultiplyAdd(a2, b, s23);
            }

            y0.Put4(row, TSimd.Sum4(s00, s01, s02, s03));
            y1.Put4(row, TSimd.Sum4(s10, s11, s12, s13));
            y2.Put4(row, TSimd.Sum4(s20, s21, s22, s23));
        }

        for (; row < rowCount; row++, w += rowBytes)
        {
            y0.Put(row, Dot<TFormat>(x0, w, columnCount));
            y1.Put(row, Dot<TFormat>(x1, w, columnCount));
            y2.Put(row, Dot<TFormat>(x2, w, columnCount));
        }
    }

    /// <summary>Two rows of x by rows of weights, four at a time, for weights in cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Tile2By4<TFormat>(
        MatMulInput input, int token, byte* w, int rowCount, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        MatMulRow y0 = output.Row(token, column);
        MatMulRow y1 = output.Row(token + 1, column);
        int row = 0;
        for (; row + 4 <= rowCount; row += 4, w += 4 * rowBytes)
        {
            byte* w1 = w + rowBytes;
            byte* w2 = w1 + rowBytes;
            byte* w3 = w2 + rowBytes;
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            for (long i = 0; i < columnCount; i += TSimd.Width)
            {
                long offset = i * TFormat.Size;
                TVector a0 = TSimd.Load(x0 + i);
                TVector a1 = TSimd.Load(x1 + i);
                TVector b = TFormat.Load<TSimd, TVector>(w + offset);
                s00 = TSimd.MultiplyAdd(a0, b, s00);
                s10 = TSimd.MultiplyAdd(a1, b, s10);
                b = TFormat.Load<TSimd, TVector>(w1 + offset);
                s01 = TSimd.MultiplyAdd(a0, b, s01);
                s11 = TSimd.MultiplyAdd(a1, b, s11);
                b = TFormat.Load<TSimd, TVector>(w2 + offset);
                s02 = TSimd.MultiplyAdd(a0, b, s02);
                s12 = TSimd.MultiplyAdd(a1, b, s12);
                b = TFormat.Load<TSimd, TVector>(w3 + offset);
                s03 = TSimd.MultiplyAdd(a0, b, s03);
                s13 = TSimd.MultiplyAdd(a1, b, s13);
            }

            y0.Put4(row, TSimd.Sum4(s00, s01, s02, s03));
            y1.Put4(row, TSimd.Sum4(s10, s11, s12, s13));
        }

        for (; row < rowCount; row++, w += rowBytes)
        {
            y0.Put(row, Dot<TFormat>(x0, w, columnCount));
            y1.Put(row, Dot<TFormat>(x1, w, columnCount));
        }
    }

    /// <summary>Two rows of x by rows of weights, one after the other: memory is read fastest in one stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile2<TFormat>(
        MatMulInput input, int token, byte* w, int rowCount, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        MatMulRow y0 = output.Row(token, column);
        MatMulRow y1 = output.Row(token + 1, column);
        int row = 0;
        for (; row + 4 <= rowCount; row += 4)
        {
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
            TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
            for (int i = 0; i < columnCount; i += TSimd.Width)
            {
                TVector b = TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size));
                s00 = TSimd.MultiplyAdd(TSimd.Load(x0 + i), b, s00);
                s10 = TSimd.MultiplyAdd(TSimd.Load(x1 + i), b, s10);
            }

            w += rowBytes;
            for (int i = 0; i < columnCount; i += TSimd.Width)
            {
                TVector b = TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size));
                s01 = TSimd.MultiplyAdd(TSimd.Load(x0 + i), b, s01);
                s11 = TSimd.MultiplyAdd(TSimd.Load(x1 + i), b, s11);
            }

            w += rowBytes;
            for (int i = 0; i < columnCount; i += TSimd.Width)
            {
                TVector b = TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size));
                s02 = TSimd.MultiplyAdd(TSimd.Load(x0 + i), b, s02);
                s12 = TSimd.MultiplyAdd(TSimd.Load(x1 + i), b, s12);
            }

            w += rowBytes;
            for (int i = 0; i < columnCount; i += TSimd.Width)
            {
                TVector b = TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size));
                s03 = TSimd.MultiplyAdd(TSimd.Load(x0 + i), b, s03);
                s13 = TSimd.MultiplyAdd(TSimd.Load(x1 + i), b, s13);
            }

            w += rowBytes;
            y0.Put4(row, TSimd.Sum4(s00, s01, s02, s03));
            y1.Put4(row, TSimd.Sum4(s10, s11, s12, s13));
        }

        for (; row < rowCount; row++, w += rowBytes)
        {
            y0.Put(row, Dot<TFormat>(x0, w, columnCount));
            y1.Put(row, Dot<TFormat>(x1, w, columnCount));
        }
    }

    /// <summary>One row of x by rows of weights, one after the other: memory is read fastest in one stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile1<TFormat>(
        MatMulInput input, int token, byte* w, int rowCount, int columnCount, MatMulOutput output, int column, StreamEnd end)
        where TFormat : struct, IWeightFormat
    {
        long rowBytes = (long)columnCount * TFormat.Size;
        float* x0 = input.Row(token);
        MatMulRow y0 = output.Row(token, column);
        int row = 0;
        for (; row + 4 <= rowCount; row += 4)
        {
            StreamAhead ahead = end.Ahead(w);
            TVector s00 = StreamRow<TFormat>(x0, w, columnCount, ahead);
            TVector s01 = StreamRow<TFormat>(x0, w += rowBytes, columnCount, ahead);
            TVector s02 = StreamRow<TFormat>(x0, w += rowBytes, columnCount, ahead);
            TVector s03 = StreamRow<TFormat>(x0, w += rowBytes, columnCount, ahead);
            w += rowBytes;
            y0.Put4(row, TSimd.Sum4(s00, s01, s02, s03));
        }

        for (; row < rowCount; row++, w += rowBytes)
        {
            y0.Put(row, Dot<TFormat>(x0, w, columnCount));
        }
    }

    // One row, two vectors at a time: with weights of 16 bits that is a line of memory where vectors have 512 bits, and less
    // elsewhere.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector StreamRow<TFormat>(float* x, byte* w, int columnCount, StreamAhead ahead)
        where TFormat : struct, IWeightFormat
    {
        TVector sum = TSimd.Zero;
        int i = 0;
        for (; i + (2 * TSimd.Width) <= columnCount; i += 2 * TSimd.Width)
        {
            byte* first = w + ((long)i * TFormat.Size);
            byte* second = first + ((long)TSimd.Width * TFormat.Size);
            CacheLine.PrefetchKeptStream(first, ahead);
            if (TSimd.Width * TFormat.Size >= CacheLine.ByteCount)
            {
                CacheLine.PrefetchKeptStream(second, ahead);
            }

            sum = TSimd.MultiplyAdd(TSimd.Load(x + i), TFormat.Load<TSimd, TVector>(first), sum);
            sum = TSimd.MultiplyAdd(TSimd.Load(x + i + TSimd.Width), TFormat.Load<TSimd, TVector>(second), sum);
        }

        return i == columnCount
            ? sum
            : TSimd.MultiplyAdd(TSimd.Load(x + i), TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size)), sum);
    }

    /// <summary>One row of x by one row of weights, of any length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<TFormat>(float* x, byte* w, int columnCount)
        where TFormat : struct, IWeightFormat
    {
        int whole = columnCount - (columnCount % TSimd.Width);
        TVector sum = TSimd.Zero;
        for (int i = 0; i < whole; i += TSimd.Width)
        {
            sum = TSimd.MultiplyAdd(TSimd.Load(x + i), TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size)), sum);
        }

        return whole == columnCount
            ? TSimd.Sum(sum)
            : SumWithTail<TFormat>(sum, x + whole, w + ((long)whole * TFormat.Size), columnCount - whole);
    }

    /// <summary>Loads fewer values than a vector has, zeros behind them; memory past them is not touched.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static TVector LoadTail<TFormat>(byte* source, int count)
        where TFormat : struct, IWeightFormat
    {
        byte* padded = stackalloc byte[TSimd.Width * TFormat.Size];
        new Span<byte>(padded, TSimd.Width * TFormat.Size).Clear();
        new ReadOnlySpan<byte>(source, count * TFormat.Size).CopyTo(new Span<byte>(padded, TSimd.Width * TFormat.Size));
        return TFormat.Load<TSimd, TVector>(padded);
    }

    // A method of its own: a call in the loop's method would make the JIT keep the sums in memory.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float SumWithTail<TFormat>(TVector sum, float* x, byte* w, int count)
        where TFormat : struct, IWeightFormat =>
        TSimd.Sum(TSimd.MultiplyAdd(LoadTail<Float32Weights>((byte*)x, count), LoadTail<TFormat>(w, count), sum));
}
