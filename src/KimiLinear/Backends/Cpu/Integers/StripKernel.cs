using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Products of one row of activations with a strip of weights.</summary>
/// <remarks>
/// y = Σ_blocks scale · (x_scale · Σ code · x_code) + offset · x_offset, one weight row a lane: operations and their order are those
/// of <see cref="PanelKernel{TSimd,TVector,TIntegers,TInteger}"/>, so that results are the same to the last bit.
/// </remarks>
internal static unsafe class StripKernel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Adds to the sums of 16 rows.</summary>
    /// <param name="strip">The weights, as <see cref="StripLayout"/> says.</param>
    /// <param name="blockCount">Blocks of the strip.</param>
    /// <param name="x">The activations' codes from the strip's first column on.</param>
    /// <param name="statistics">The activations' scale of the strip's first block.</param>
    /// <param name="offsetDistance">How many values after a block's scale its offset lies.</param>
    /// <param name="sums">The sums so far. [16]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Add<TOffsets>(
        byte* strip, int blockCount, byte* x, float* statistics, int offsetDistance, float* sums)
        where TOffsets : struct, IStripOffsets
    {
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            byte* codes = strip + StripLayout.RowOffset(lane);
            float* scales = (float*)(strip + StripLayout.ScalesOffset) + lane;
            byte* input = x;
            TVector sum = TSimd.Load(sums + lane);
            for (int block = 0; block < blockCount; block++)
            {
                TVector products = TSimd.Multiply(TIntegers.ToFloat(Dot(codes, input)), TSimd.Broadcast(statistics[block]));
                sum = TSimd.MultiplyAdd(TSimd.Load(scales), products, sum);
                if (TOffsets.Exist)
                {
                    TVector offsets = TSimd.Load(scales + (StripLayout.MaxBlocks * StripLayout.RowCount));
                    sum = TSimd.MultiplyAdd(offsets, TSimd.Broadcast(statistics[offsetDistance + block]), sum);
                }

                codes += StripLayout.BlockBytes;
                scales += StripLayout.RowCount;
                input += QuantizedRows.BlockColumns * sizeof(short);
            }

            TSimd.Store(sums + lane, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TInteger Dot(byte* codes, byte* x)
    {
        if (TIntegers.Lanes == 1)
        {
            return DotOne(codes, x);
        }

        TInteger x0 = TIntegers.LoadSegment(x);
        TInteger x1 = TIntegers.LoadSegment(x + StripLayout.SegmentBytes);
        TInteger x2 = TIntegers.LoadSegment(x + (2 * StripLayout.SegmentBytes));
        TInteger x3 = TIntegers.LoadSegment(x + (3 * StripLayout.SegmentBytes));
        return TIntegers.SumSegments(
            DotGroup(codes, x0, x1, x2, x3),
            DotGroup(codes + StripLayout.GroupBytes, x0, x1, x2, x3),
            DotGroup(codes + (2 * StripLayout.GroupBytes), x0, x1, x2, x3),
            DotGroup(codes + (3 * StripLayout.GroupBytes), x0, x1, x2, x3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TInteger DotGroup(byte* codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, TIntegers.Load(codes), x0);
        sum = TIntegers.AddShorts(sum, TIntegers.Load(codes + StripLayout.ChunkBytes), x1);
        sum = TIntegers.AddShorts(sum, TIntegers.Load(codes + (2 * StripLayout.ChunkBytes)), x2);
        return TIntegers.AddShorts(sum, TIntegers.Load(codes + (3 * StripLayout.ChunkBytes)), x3);
    }

    private static TInteger DotOne(byte* codes, byte* x)
    {
        TInteger sum = TIntegers.Zero;
        for (int chunk = 0; chunk < StripLayout.ChunkCount; chunk++, codes += StripLayout.ChunkBytes)
        {
            for (int part = 0; part < StripLayout.SegmentBytes; part += TIntegers.SegmentBytes, x += TIntegers.SegmentBytes)
            {
                sum = TIntegers.AddShorts(sum, TIntegers.Load(codes + part), TIntegers.Load(x));
            }
        }

        return sum;
    }
}
