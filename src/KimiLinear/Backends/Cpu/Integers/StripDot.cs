using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Sums of products of 16-bit codes with one row of activations.</summary>
internal static unsafe class StripDot<TIntegers, TInteger, TVector>
    where TIntegers : struct, IStripSimd<TInteger, TVector>
    where TInteger : struct
    where TVector : struct
{
    /// <summary>One block of as many rows as fit a vector; four sums of a row to be added across.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Of(StripBlock<TInteger> codes, byte* input)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, codes.Even, TIntegers.LoadSegment(input));
        sum = TIntegers.AddShorts(sum, codes.Odd, TIntegers.LoadSegment(input + StripLayout.SegmentBytes));
        sum = TIntegers.AddShorts(sum, codes.UpperEven, TIntegers.LoadSegment(input + (2 * StripLayout.SegmentBytes)));
        return TIntegers.AddShorts(sum, codes.UpperOdd, TIntegers.LoadSegment(input + (3 * StripLayout.SegmentBytes)));
    }

    /// <summary>The even or the odd columns of a block, its lower and its upper part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Add(TInteger lower, byte* input, TInteger upper)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, lower, TIntegers.LoadSegment(input));
        return TIntegers.AddShorts(sum, upper, TIntegers.LoadSegment(input + (2 * StripLayout.SegmentBytes)));
    }

    /// <summary>The lower or the upper part of a block, of signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger AddBytes(TInteger codes, byte* input)
    {
        TInteger sum = TIntegers.AddShorts(TIntegers.Zero, TIntegers.EvenBytes(codes), TIntegers.LoadSegment(input));
        return TIntegers.AddShorts(sum, TIntegers.OddBytes(codes), TIntegers.LoadSegment(input + StripLayout.SegmentBytes));
    }

    /// <summary>Multiplies two blocks as <see cref="IStripFormat.Multiply"/> says, by reading their codes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TFormat>(
        byte* rows, long rowBytes, int block, byte* input, out TInteger first, out TInteger second)
        where TFormat : struct, IStripFormat
    {
        long stride = StripLayout.GroupCount * rowBytes;
        MultiplyRows<TFormat>(rows, stride, block, input, out TInteger a0, out TInteger b0);
        MultiplyRows<TFormat>(rows + rowBytes, stride, block, input, out TInteger a1, out TInteger b1);
        MultiplyRows<TFormat>(rows + (2 * rowBytes), stride, block, input, out TInteger a2, out TInteger b2);
        MultiplyRows<TFormat>(rows + (3 * rowBytes), stride, block, input, out TInteger a3, out TInteger b3);
        first = TIntegers.SumSegments(a0, a1, a2, a3);
        second = TIntegers.SumSegments(b0, b1, b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyRows<TFormat>(
        byte* rows, long stride, int block, byte* input, out TInteger first, out TInteger second)
        where TFormat : struct, IStripFormat
    {
        TFormat.Read<TIntegers, TInteger, TVector>(
            rows, stride, block, out StripBlock<TInteger> firstCodes, out StripBlock<TInteger> secondCodes);
        first = Of(firstCodes, input);
        second = Of(secondCodes, input + StripInput.BlockBytes);
    }
}
