using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Register tiles of dot products. Unrolled by hand: sums in local variables stay in registers.</summary>
internal static unsafe class DotKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Four rows of x by four rows of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4x4<TFormat>(
        MatMulInput input, int token, byte* w0, long rowBytes, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        byte* w1 = w0 + rowBytes;
        byte* w2 = w1 + rowBytes;
        byte* w3 = w2 + rowBytes;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        float* x2 = input.Row(token + 2);
        float* x3 = input.Row(token + 3);
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero, s23 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero, s33 = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= columnCount; i += TSimd.Width)
        {
            long offset = (long)i * TFormat.Size;
            TVector a0 = TSimd.Load(x0 + i);
            TVector a1 = TSimd.Load(x1 + i);
            TVector a2 = TSimd.Load(x2 + i);
            TVector a3 = TSimd.Load(x3 + i);
            TVector b0 = TFormat.Load<TSimd, TVector>(w0 + offset);
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

        if (i < columnCount)
        {
            int count = columnCount - i;
            long offset = (long)i * TFormat.Size;
            TVector a0 = LoadTail<Float32Weights>((byte*)(x0 + i), count);
            TVector a1 = LoadTail<Float32Weights>((byte*)(x1 + i), count);
            TVector a2 = LoadTail<Float32Weights>((byte*)(x2 + i), count);
            TVector a3 = LoadTail<Float32Weights>((byte*)(x3 + i), count);
            TVector b0 = LoadTail<TFormat>(w0 + offset, count);
            s00 = TSimd.MultiplyAdd(a0, b0, s00);
            s10 = TSimd.MultiplyAdd(a1, b0, s10);
            s20 = TSimd.MultiplyAdd(a2, b0, s20);
            s30 = TSimd.MultiplyAdd(a3, b0, s30);
            TVector b1 = LoadTail<TFormat>(w1 + offset, count);
            s01 = TSimd.MultiplyAdd(a0, b1, s01);
            s11 = TSimd.MultiplyAdd(a1, b1, s11);
            s21 = TSimd.MultiplyAdd(a2, b1, s21);
            s31 = TSimd.MultiplyAdd(a3, b1, s31);
            TVector b2 = LoadTail<TFormat>(w2 + offset, count);
            s02 = TSimd.MultiplyAdd(a0, b2, s02);
            s12 = TSimd.MultiplyAdd(a1, b2, s12);
            s22 = TSimd.MultiplyAdd(a2, b2, s22);
            s32 = TSimd.MultiplyAdd(a3, b2, s32);
            TVector b3 = LoadTail<TFormat>(w3 + offset, count);
            s03 = TSimd.MultiplyAdd(a0, b3, s03);
            s13 = TSimd.MultiplyAdd(a1, b3, s13);
            s23 = TSimd.MultiplyAdd(a2, b3, s23);
            s33 = TSimd.MultiplyAdd(a3, b3, s33);
        }

        output.Put(token, column, TSimd.Sum(s00));
        output.Put(token, column + 1, TSimd.Sum(s01));
        output.Put(token, column + 2, TSimd.Sum(s02));
        output.Put(token, column + 3, TSimd.Sum(s03));
        output.Put(token + 1, column, TSimd.Sum(s10));
        output.Put(token + 1, column + 1, TSimd.Sum(s11));
        output.Put(token + 1, column + 2, TSimd.Sum(s12));
        output.Put(token + 1, column + 3, TSimd.Sum(s13));
        output.Put(token + 2, column, TSimd.Sum(s20));
        output.Put(token + 2, column + 1, TSimd.Sum(s21));
        output.Put(token + 2, column + 2, TSimd.Sum(s22));
        output.Put(token + 2, column + 3, TSimd.Sum(s23));
        output.Put(token + 3, column, TSimd.Sum(s30));
        output.Put(token + 3, column + 1, TSimd.Sum(s31));
        output.Put(token + 3, column + 2, TSimd.Sum(s32));
        output.Put(token + 3, column + 3, TSimd.Sum(s33));
    }

    /// <summary>Two rows of x by four rows of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot2x4<TFormat>(
        MatMulInput input, int token, byte* w0, long rowBytes, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        byte* w1 = w0 + rowBytes;
        byte* w2 = w1 + rowBytes;
        byte* w3 = w2 + rowBytes;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero, s13 = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= columnCount; i += TSimd.Width)
        {
            long offset = (long)i * TFormat.Size;
            TVector a0 = TSimd.Load(x0 + i);
            TVector a1 = TSimd.Load(x1 + i);
            TVector b0 = TFormat.Load<TSimd, TVector>(w0 + offset);
            s00 = TSimd.MultiplyAdd(a0, b0, s00);
            s10 = TSimd.MultiplyAdd(a1, b0, s10);
            TVector b1 = TFormat.Load<TSimd, TVector>(w1 + offset);
            s01 = TSimd.MultiplyAdd(a0, b1, s01);
            s11 = TSimd.MultiplyAdd(a1, b1, s11);
            TVector b2 = TFormat.Load<TSimd, TVector>(w2 + offset);
            s02 = TSimd.MultiplyAdd(a0, b2, s02);
            s12 = TSimd.MultiplyAdd(a1, b2, s12);
            TVector b3 = TFormat.Load<TSimd, TVector>(w3 + offset);
            s03 = TSimd.MultiplyAdd(a0, b3, s03);
            s13 = TSimd.MultiplyAdd(a1, b3, s13);
        }

        if (i < columnCount)
        {
            int count = columnCount - i;
            long offset = (long)i * TFormat.Size;
            TVector a0 = LoadTail<Float32Weights>((byte*)(x0 + i), count);
            TVector a1 = LoadTail<Float32Weights>((byte*)(x1 + i), count);
            TVector b0 = LoadTail<TFormat>(w0 + offset, count);
            s00 = TSimd.MultiplyAdd(a0, b0, s00);
            s10 = TSimd.MultiplyAdd(a1, b0, s10);
            TVector b1 = LoadTail<TFormat>(w1 + offset, count);
            s01 = TSimd.MultiplyAdd(a0, b1, s01);
            s11 = TSimd.MultiplyAdd(a1, b1, s11);
            TVector b2 = LoadTail<TFormat>(w2 + offset, count);
            s02 = TSimd.MultiplyAdd(a0, b2, s02);
            s12 = TSimd.MultiplyAdd(a1, b2, s12);
            TVector b3 = LoadTail<TFormat>(w3 + offset, count);
            s03 = TSimd.MultiplyAdd(a0, b3, s03);
            s13 = TSimd.MultiplyAdd(a1, b3, s13);
        }

        output.Put(token, column, TSimd.Sum(s00));
        output.Put(token, column + 1, TSimd.Sum(s01));
        output.Put(token, column + 2, TSimd.Sum(s02));
        output.Put(token, column + 3, TSimd.Sum(s03));
        output.Put(token + 1, column, TSimd.Sum(s10));
        output.Put(token + 1, column + 1, TSimd.Sum(s11));
        output.Put(token + 1, column + 2, TSimd.Sum(s12));
        output.Put(token + 1, column + 3, TSimd.Sum(s13));
    }

    /// <summary>One row of x by four rows of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot1x4<TFormat>(
        MatMulInput input, int token, byte* w0, long rowBytes, int columnCount, MatMulOutput output, int column)
        where TFormat : struct, IWeightFormat
    {
        byte* w1 = w0 + rowBytes;
        byte* w2 = w1 + rowBytes;
        byte* w3 = w2 + rowBytes;
        float* x0 = input.Row(token);
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero, s03 = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= columnCount; i += TSimd.Width)
        {
            long offset = (long)i * TFormat.Size;
            TVector a0 = TSimd.Load(x0 + i);
            TVector b0 = TFormat.Load<TSimd, TVector>(w0 + offset);
            s00 = TSimd.MultiplyAdd(a0, b0, s00);
            TVector b1 = TFormat.Load<TSimd, TVector>(w1 + offset);
            s01 = TSimd.MultiplyAdd(a0, b1, s01);
            TVector b2 = TFormat.Load<TSimd, TVector>(w2 + offset);
            s02 = TSimd.MultiplyAdd(a0, b2, s02);
            TVector b3 = TFormat.Load<TSimd, TVector>(w3 + offset);
            s03 = TSimd.MultiplyAdd(a0, b3, s03);
        }

        if (i < columnCount)
        {
            int count = columnCount - i;
            long offset = (long)i * TFormat.Size;
            TVector a0 = LoadTail<Float32Weights>((byte*)(x0 + i), count);
            TVector b0 = LoadTail<TFormat>(w0 + offset, count);
            s00 = TSimd.MultiplyAdd(a0, b0, s00);
            TVector b1 = LoadTail<TFormat>(w1 + offset, count);
            s01 = TSimd.MultiplyAdd(a0, b1, s01);
            TVector b2 = LoadTail<TFormat>(w2 + offset, count);
            s02 = TSimd.MultiplyAdd(a0, b2, s02);
            TVector b3 = LoadTail<TFormat>(w3 + offset, count);
            s03 = TSimd.MultiplyAdd(a0, b3, s03);
        }

        output.Put(token, column, TSimd.Sum(s00));
        output.Put(token, column + 1, TSimd.Sum(s01));
        output.Put(token, column + 2, TSimd.Sum(s02));
        output.Put(token, column + 3, TSimd.Sum(s03));
    }

    /// <summary>One row of x by one row of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<TFormat>(float* x, byte* w, int columnCount)
        where TFormat : struct, IWeightFormat
    {
        TVector sum = TSimd.Zero;
        int i = 0;
        for (; i + TSimd.Width <= columnCount; i += TSimd.Width)
        {
            sum = TSimd.MultiplyAdd(TSimd.Load(x + i), TFormat.Load<TSimd, TVector>(w + ((long)i * TFormat.Size)), sum);
        }

        if (i < columnCount)
        {
            int count = columnCount - i;
            sum = TSimd.MultiplyAdd(
                LoadTail<Float32Weights>((byte*)(x + i), count), LoadTail<TFormat>(w + ((long)i * TFormat.Size), count), sum);
        }

        return TSimd.Sum(sum);
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
}
