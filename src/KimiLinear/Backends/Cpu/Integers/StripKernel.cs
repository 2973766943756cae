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
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>Adds to the sums of 16 rows, with codes that have been widened.</summary>
    /// <param name="strip">The weights, as <see cref="StripLayout"/> says.</param>
    /// <param name="blockCount">Blocks of the strip.</param>
    /// <param name="x">The activations from the strip's first column on.</param>
    /// <param name="sums">The sums so far. [16]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Add<TFormat>(byte* strip, int blockCount, StripInput x, float* sums)
        where TFormat : struct, IStripFormat
    {
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            byte* codes = strip + StripLayout.RowOffset(lane);
            float* scales = (float*)(strip + StripLayout.ScalesOffset) + lane;
            TVector sum = TSimd.Load(sums + lane);
            for (int block = 0; block < blockCount; block++)
            {
                byte* input = x.Codes + (block * StripInput.BlockBytes);
                TInteger x0 = TIntegers.LoadSegment(input);
                TInteger x1 = TIntegers.LoadSegment(input + StripLayout.SegmentBytes);
                TInteger x2 = TIntegers.LoadSegment(input + (2 * StripLayout.SegmentBytes));
                TInteger x3 = TIntegers.LoadSegment(input + (3 * StripLayout.SegmentBytes));
                TInteger products = TIntegers.SumSegments(
                    Dot(codes, x0, x1, x2, x3),
                    Dot(codes + StripLayout.GroupBytes, x0, x1, x2, x3),
                    Dot(codes + (2 * StripLayout.GroupBytes), x0, x1, x2, x3),
                    Dot(codes + (3 * StripLayout.GroupBytes), x0, x1, x2, x3));
                sum = AddScaled<TFormat>(products, scales, x, block, sum);
                codes += StripLayout.BlockBytes;
            }

            TSimd.Store(sums + lane, sum);
        }
    }

    /// <summary>Adds to the sums of 16 rows, with codes where they lie; the strip has the scales only.</summary>
    /// <param name="rows">The strip's beginning in the first row.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="strip">Scales and offsets, as <see cref="StripLayout"/> says.</param>
    /// <param name="blockCount">Blocks of the strip; with only one, there is another one before it.</param>
    /// <param name="x">The activations from the strip's first column on.</param>
    /// <param name="sums">The sums so far. [16]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void AddInPlace<TFormat>(byte* rows, long rowBytes, byte* strip, int blockCount, StripInput x, float* sums)
        where TFormat : struct, IStripFormat
    {
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            byte* source = rows + (lane * rowBytes);
            float* scales = (float*)(strip + StripLayout.ScalesOffset) + lane;
            TVector sum = TSimd.Load(sums + lane);
            for (int block = 0; block < blockCount; block += 2)
            {
                // A last block without a partner is computed with the one before.
                int first = Math.Min(block, blockCount - 2);
                TFormat.Multiply<TIntegers, TInteger, TVector>(
                    source,
                    rowBytes,
                    (byte*)(scales + (StripLayout.MaxBlocks * StripLayout.RowCount)),
                    first,
                    x.Codes + (first * StripInput.BlockBytes),
                    out TInteger products,
                    out TInteger secondProducts);
                if (first == block)
                {
                    sum = AddScaled<TFormat>(products, scales, x, block, sum);
                }

                sum = AddScaled<TFormat>(secondProducts, scales, x, first + 1, sum);
            }

            TSimd.Store(sums + lane, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector AddScaled<TFormat>(TInteger products, float* scales, StripInput x, int block, TVector sum)
        where TFormat : struct, IStripFormat
    {
        float* place = scales + (block * StripLayout.RowCount);
        TVector scaled = TSimd.Multiply(TIntegers.ToFloat(products), TSimd.Broadcast(x.Scales[block]));
        sum = TSimd.MultiplyAdd(TSimd.Load(place), scaled, sum);
        if (TFormat.HasOffsets)
        {
            TVector offsets = TSimd.Load(place + (StripLayout.MaxBlocks * StripLayout.RowCount));
            sum = TSimd.MultiplyAdd(offsets, TSimd.Broadcast(x.Offsets[block]), sum);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TInteger Dot(byte* codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, TIntegers.Load(codes), x0);
        sum = TIntegers.AddShorts(sum, TIntegers.Load(codes + StripLayout.ChunkBytes), x1);
        sum = TIntegers.AddShorts(sum, TIntegers.Load(codes + (2 * StripLayout.ChunkBytes)), x2);
        return TIntegers.AddShorts(sum, TIntegers.Load(codes + (3 * StripLayout.ChunkBytes)), x3);
    }
}
