using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Products with rows of bfloat16 weights, interleaved first, a lane for each, for many rows of x and few columns.</summary>
/// <remarks>
/// A dot product over few columns spends as much time on adding up the lanes of its sum as on its products. Here a lane is a row
/// of weights, and nothing is added across lanes. To give the bits that <see cref="DotKernel{TSimd,TVector}"/> gives, the columns
/// that share a lane there are a sum of their own, and these sums are added as <see cref="ISimd{TVector}.Sum"/> does.
/// </remarks>
internal static unsafe class InterleavedKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Fewer rows of x do not pay for interleaving the weights; from 6 on, tiles of four and three leave none over.</summary>
    public const int MinInputRows = 8;

    // With more columns a dot product is as fast.
    private const int MaxColumns = 256;

    private const int VectorsPerRow = 2;

    /// <summary>Rows of weights that lie interleaved.</summary>
    public static int RowCount => VectorsPerRow * TSimd.Width;

    /// <summary>Whether rows of this length can be multiplied so, and are faster for it.</summary>
    public static bool Fits(int columnCount) =>
        TSimd.Width >= 8 && columnCount % (2 * TSimd.Width) == 0 && columnCount <= MaxColumns;

    /// <summary>Interleaves <see cref="RowCount"/> rows of weights.</summary>
    /// <param name="rows">The weights. [rows, X]</param>
    /// <param name="columnCount">The length of a row (X).</param>
    /// <param name="panel">Receives, for each lane of a dot product, its columns, each with the weights of all rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Interleave(ushort* rows, int columnCount, float* panel)
    {
        int width = TSimd.Width;
        // What is read here at once lies a row apart: the next rows are asked for in order, to come while these are multiplied.
        int blockBytes = 2 * width * width * sizeof(ushort);
        byte* ahead = (byte*)(rows + ((long)RowCount * columnCount));
        for (int vector = 0; vector < VectorsPerRow; vector++)
        {
            for (int column = 0; column < columnCount; column += 2 * width)
            {
                CacheLine.PrefetchRange(ahead, blockBytes);
                ahead += blockBytes;
                TSimd.TransposeBFloat16(
                    rows + ((long)vector * width * columnCount) + column,
                    columnCount,
                    panel + (VectorsPerRow * column) + (vector * width),
                    (long)columnCount * VectorsPerRow,
                    RowCount);
            }
        }
    }

    /// <summary>Multiplies rows of x, at least <see cref="MinInputRows"/>, with interleaved weights.</summary>
    public static void Multiply(MatMulInput input, int token, int tokenEnd, float* panel, int columnCount, MatMulOutput output, int column)
    {
        byte* memory = stackalloc byte[(4 * VectorsPerRow * TSimd.Width * MaxLevels * sizeof(float)) + CacheLine.ByteCount];
        float* sums = (float*)((nuint)(memory + CacheLine.ByteCount - 1) / CacheLine.ByteCount * CacheLine.ByteCount);
        while (token < tokenEnd)
        {
            // Never a tile of one or two: their few sums wait for each other.
            if ((tokenEnd - token) % 4 == 0)
            {
                Tile4(input, token, panel, columnCount, sums, output, column);
                token += 4;
            }
            else
            {
                Tile3(input, token, panel, columnCount, sums, output, column);
                token += 3;
            }
        }
    }

    // Sums of 2, 4, 8 lanes that wait for as many more.
    private const int MaxLevels = 4;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile4(
        MatMulInput input, int token, float* panel, int columnCount, float* sums, MatMulOutput output, int column)
    {
        int width = TSimd.Width;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        float* x2 = input.Row(token + 2);
        float* x3 = input.Row(token + 3);
        long laneLength = (long)columnCount * VectorsPerRow;
        float* top = sums;
        for (int n = 1; ; n++)
        {
            int lane = LaneOf(n - 1);
            float* w = panel + (lane * laneLength);
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s10 = TSimd.Zero, s11 = TSimd.Zero;
            TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s30 = TSimd.Zero, s31 = TSimd.Zero;
            for (int i = lane; i < columnCount; i += width, w += 2 * width)
            {
                TVector w0 = TSimd.Load(w);
                TVector w1 = TSimd.Load(w + width);
                TVector x = TSimd.Broadcast(x0[i]);
                s00 = TSimd.MultiplyAdd(x, w0, s00);
                s01 = TSimd.MultiplyAdd(x, w1, s01);
                x = TSimd.Broadcast(x1[i]);
                s10 = TSimd.MultiplyAdd(x, w0, s10);
                s11 = TSimd.MultiplyAdd(x, w1, s11);
                x = TSimd.Broadcast(x2[i]);
                s20 = TSimd.MultiplyAdd(x, w0, s20);
                s21 = TSimd.MultiplyAdd(x, w1, s21);
                x = TSimd.Broadcast(x3[i]);
                s30 = TSimd.MultiplyAdd(x, w0, s30);
                s31 = TSimd.MultiplyAdd(x, w1, s31);
            }

            // As a binary counter carries: what is complete is added to its like.
            for (int carry = n; (carry & 1) == 0; carry >>= 1)
            {
                top -= 8 * width;
                s00 = TSimd.Add(TSimd.Load(top), s00);
                s01 = TSimd.Add(TSimd.Load(top + width), s01);
                s10 = TSimd.Add(TSimd.Load(top + (2 * width)), s10);
                s11 = TSimd.Add(TSimd.Load(top + (3 * width)), s11);
                s20 = TSimd.Add(TSimd.Load(top + (4 * width)), s20);
                s21 = TSimd.Add(TSimd.Load(top + (5 * width)), s21);
                s30 = TSimd.Add(TSimd.Load(top + (6 * width)), s30);
                s31 = TSimd.Add(TSimd.Load(top + (7 * width)), s31);
            }

            if (n == width)
            {
                output.Row(token, column).Put2<TSimd, TVector>(s00, s01);
                output.Row(token + 1, column).Put2<TSimd, TVector>(s10, s11);
                output.Row(token + 2, column).Put2<TSimd, TVector>(s20, s21);
                output.Row(token + 3, column).Put2<TSimd, TVector>(s30, s31);
                return;
            }

            TSimd.Store(top, s00);
            TSimd.Store(top + width, s01);
            TSimd.Store(top + (2 * width), s10);
            TSimd.Store(top + (3 * width), s11);
            TSimd.Store(top + (4 * width), s20);
            TSimd.Store(top + (5 * width), s21);
            TSimd.Store(top + (6 * width), s30);
            TSimd.Store(top + (7 * width), s31);
            top += 8 * width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile3(
        MatMulInput input, int token, float* panel, int columnCount, float* sums, MatMulOutput output, int column)
    {
        int width = TSimd.Width;
        float* x0 = input.Row(token);
        float* x1 = input.Row(token + 1);
        float* x2 = input.Row(token + 2);
        long laneLength = (long)columnCount * VectorsPerRow;
        float* top = sums;
        for (int n = 1; ; n++)
        {
            int lane = LaneOf(n - 1);
            float* w = panel + (lane * laneLength);
            TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s10 = TSimd.Zero, s11 = TSimd.Zero;
            TVector s20 = TSimd.Zero, s21 = TSimd.Zero;
            for (int i = lane; i < columnCount; i += width, w += 2 * width)
            {
                TVector w0 = TSimd.Load(w);
                TVector w1 = TSimd.Load(w + width);
                TVector x = TSimd.Broadcast(x0[i]);
                s00 = TSimd.MultiplyAdd(x, w0, s00);
                s01 = TSimd.MultiplyAdd(x, w1, s01);
                x = TSimd.Broadcast(x1[i]);
                s10 = TSimd.MultiplyAdd(x, w0, s10);
                s11 = TSimd.MultiplyAdd(x, w1, s11);
                x = TSimd.Broadcast(x2[i]);
                s20 = TSimd.MultiplyAdd(x, w0, s20);
                s21 = TSimd.MultiplyAdd(x, w1, s21);
            }

            for (int carry = n; (carry & 1) == 0; carry >>= 1)
            {
                top -= 6 * width;
                s00 = TSimd.Add(TSimd.Load(top), s00);
                s01 = TSimd.Add(TSimd.Load(top + width), s01);
                s10 = TSimd.Add(TSimd.Load(top + (2 * width)), s10);
                s11 = TSimd.Add(TSimd.Load(top + (3 * width)), s11);
                s20 = TSimd.Add(TSimd.Load(top + (4 * width)), s20);
                s21 = TSimd.Add(TSimd.Load(top + (5 * width)), s21);
            }

            if (n == width)
            {
                output.Row(token, column).Put2<TSimd, TVector>(s00, s01);
                output.Row(token + 1, column).Put2<TSimd, TVector>(s10, s11);
                output.Row(token + 2, column).Put2<TSimd, TVector>(s20, s21);
                return;
            }

            TSimd.Store(top, s00);
            TSimd.Store(top + width, s01);
            TSimd.Store(top + (2 * width), s10);
            TSimd.Store(top + (3 * width), s11);
            TSimd.Store(top + (4 * width), s20);
            TSimd.Store(top + (5 * width), s21);
            top += 6 * width;
        }
    }

    // The order in which neighbours in ISimd.Sum's tree follow each other: halves are folded until four sums are left.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LaneOf(int index)
    {
        int folded = TSimd.Width / 4;
        (int sum, int part) = (index / folded, index % folded);
        return sum + ((part & 1) * (TSimd.Width / 2)) + ((part >> 1) * (TSimd.Width / 4));
    }
}
