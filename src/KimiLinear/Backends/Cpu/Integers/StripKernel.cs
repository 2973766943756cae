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
                    Dot(Load(codes), x0, x1, x2, x3),
                    Dot(Load(codes + StripLayout.GroupBytes), x0, x1, x2, x3),
                    Dot(Load(codes + (2 * StripLayout.GroupBytes)), x0, x1, x2, x3),
                    Dot(Load(codes + (3 * StripLayout.GroupBytes)), x0, x1, x2, x3));
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
        long stride = StripLayout.GroupCount * rowBytes;
        for (int lane = 0; lane < StripLayout.RowCount; lane += TIntegers.Lanes)
        {
            byte* source = rows + (lane * rowBytes);
            float* scales = (float*)(strip + StripLayout.ScalesOffset) + lane;
            TVector sum = TSimd.Load(sums + lane);
            for (int block = 0; block < blockCount; block += 2)
            {
                // A last block without a partner is computed with the one before.
                int first = Math.Min(block, blockCount - 2);
                byte* input = x.Codes + (first * StripInput.BlockBytes);
                Dot<TFormat>(source, stride, first, input, out TInteger a0, out TInteger b0);
                Dot<TFormat>(source + rowBytes, stride, first, input, out TInteger a1, out TInteger b1);
                Dot<TFormat>(source + (2 * rowBytes), stride, first, input, out TInteger a2, out TInteger b2);
                Dot<TFormat>(source + (3 * rowBytes), stride, first, input, out TInteger a3, out TInteger b3);
                if (first == block)
                {
                    sum = AddScaled<TFormat>(TIntegers.SumSegments(a0, a1, a2, a3), scales, x, block, sum);
                }

                sum = AddScaled<TFormat>(TIntegers.SumSegments(b0, b1, b2, b3), scales, x, first + 1, sum);
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
    private static void Dot<TFormat>(
        byte* rows, long stride, int block, byte* input, out TInteger firstProducts, out TInteger secondProducts)
        where TFormat : struct, IStripFormat
    {
        TFormat.Read<TIntegers, TInteger, TVector>(
            rows, stride, block, out StripBlock<TInteger> first, out StripBlock<TInteger> second);
        firstProducts = Dot(
            first,
            TIntegers.LoadSegment(input),
            TIntegers.LoadSegment(input + StripLayout.SegmentBytes),
            TIntegers.LoadSegment(input + (2 * StripLayout.SegmentBytes)),
            TIntegers.LoadSegment(input + (3 * StripLayout.SegmentBytes)));
        input += StripInput.BlockBytes;
        secondProducts = Dot(
            second,
            TIntegers.LoadSegment(input),
            TIntegers.LoadSegment(input + StripLayout.SegmentBytes),
            TIntegers.LoadSegment(input + (2 * StripLayout.SegmentBytes)),
            TIntegers.LoadSegment(input + (3 * StripLayout.SegmentBytes)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TInteger Dot(StripBlock<TInteger> codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, codes.Even, x0);
        sum = TIntegers.AddShorts(sum, codes.Odd, x1);
        sum = TIntegers.AddShorts(sum, codes.UpperEven, x2);
        return TIntegers.AddShorts(sum, codes.UpperOdd, x3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StripBlock<TInteger> Load(byte* codes) => new(
        TIntegers.Load(codes),
        TIntegers.Load(codes + StripLayout.ChunkBytes),
        TIntegers.Load(codes + (2 * StripLayout.ChunkBytes)),
        TIntegers.Load(codes + (3 * StripLayout.ChunkBytes)));
}
