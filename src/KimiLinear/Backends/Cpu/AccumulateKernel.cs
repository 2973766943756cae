using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Sums of multiples of rows in bfloat16, y += Σ_r x[r] · w[r], widened on the way.</summary>
internal static unsafe class AccumulateKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Rows that are added at a time.</summary>
    public const int RowStep = 4;

    /// <summary>Columns that are added at a time: two vectors, which one request brings, since they are a line of memory or less.</summary>
    public static int ColumnStep => 2 * TSimd.Width;

    /// <summary>Adds rows one after the other, four at a time: each value of y is read and written once for four.</summary>
    /// <param name="x">Factors, one for each row.</param>
    /// <param name="w">The rows.</param>
    /// <param name="rowCount">A multiple of <see cref="RowStep"/>.</param>
    /// <param name="columnCount">A multiple of <see cref="ColumnStep"/>.</param>
    /// <param name="y">One row.</param>
    /// <param name="end">Where the rows end.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Add(float* x, byte* w, int rowCount, int columnCount, float* y, StreamEnd end)
    {
        long rowBytes = (long)columnCount * BFloat16Weights.Size;
        for (int row = 0; row < rowCount; row += RowStep, w += RowStep * rowBytes)
        {
            byte* w1 = w + rowBytes;
            byte* w2 = w1 + rowBytes;
            byte* w3 = w2 + rowBytes;
            TVector x0 = TSimd.Broadcast(x[row]);
            TVector x1 = TSimd.Broadcast(x[row + 1]);
            TVector x2 = TSimd.Broadcast(x[row + 2]);
            TVector x3 = TSimd.Broadcast(x[row + 3]);
            StreamAhead ahead = end.Ahead(w);
            for (int i = 0; i < columnCount; i += ColumnStep)
            {
                long first = (long)i * BFloat16Weights.Size;
                long second = first + ((long)TSimd.Width * BFloat16Weights.Size);
                CacheLine.PrefetchKeptStream(w + first, ahead);
                CacheLine.PrefetchKeptStream(w1 + first, ahead);
                CacheLine.PrefetchKeptStream(w2 + first, ahead);
                CacheLine.PrefetchKeptStream(w3 + first, ahead);
                TVector y0 = TSimd.Load(y + i);
                TVector y1 = TSimd.Load(y + i + TSimd.Width);
                y0 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w + first), x0, y0);
                y1 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w + second), x0, y1);
                y0 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w1 + first), x1, y0);
                y1 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w1 + second), x1, y1);
                y0 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w2 + first), x2, y0);
                y1 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w2 + second), x2, y1);
                y0 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w3 + first), x3, y0);
                y1 = TSimd.MultiplyAdd(BFloat16Weights.Load<TSimd, TVector>(w3 + second), x3, y1);
                TSimd.Store(y + i, y0);
                TSimd.Store(y + i + TSimd.Width, y1);
            }
        }
    }
}
