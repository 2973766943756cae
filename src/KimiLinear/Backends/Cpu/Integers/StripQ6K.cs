using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ6K"/>: 4 low bits and 2 high bits of codes around 32, and a signed scale for 16 of them, multiplied into them here.</summary>
internal readonly unsafe struct StripQ6K : IStripFormat
{
    public static DataType Type => DataType.GgufQ6K;

    public static bool HasOffsets => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        ReadCodes<TIntegers, TInteger, TVector>(rows, stride, block, upper: 0, out TInteger lower, out TInteger secondLower);
        ReadCodes<TIntegers, TInteger, TVector>(rows, stride, block, upper: 16, out TInteger upper, out TInteger secondUpper);
        TInteger scales = TIntegers.LoadRows(rows + 192, stride);
        first = Scale<TIntegers, TInteger, TVector>(lower, upper, scales, 2 * block);
        second = Scale<TIntegers, TInteger, TVector>(secondLower, secondUpper, scales, (2 * block) + 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        MultiplyHalf<TIntegers, TInteger, TVector>(
            rows, rowBytes, block, upper: 0, input, out TInteger lower, out TInteger secondLower);
        MultiplyHalf<TIntegers, TInteger, TVector>(
            rows, rowBytes, block, upper: 16, input + 32, out TInteger upper, out TInteger secondUpper);
        TInteger bytes = TIntegers.Load(scales + (block / 2 * StripLayout.RowCount * sizeof(int)));
        first = TIntegers.Add(
            TIntegers.Multiply(lower, TIntegers.ShiftRightSigned(TIntegers.ShiftLeft(bytes, 24), 24)),
            TIntegers.Multiply(upper, TIntegers.ShiftRightSigned(TIntegers.ShiftLeft(bytes, 16), 24)));
        second = TIntegers.Add(
            TIntegers.Multiply(secondLower, TIntegers.ShiftRightSigned(TIntegers.ShiftLeft(bytes, 8), 24)),
            TIntegers.Multiply(secondUpper, TIntegers.ShiftRightSigned(bytes, 24)));
    }

    // The columns of two blocks that share their scales.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyHalf<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, int block, int upper, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        long stride = StripLayout.GroupCount * rowBytes;
        MultiplyHalfOfRows<TIntegers, TInteger, TVector>(rows, stride, block, upper, input, out TInteger a0, out TInteger b0);
        MultiplyHalfOfRows<TIntegers, TInteger, TVector>(rows + rowBytes, stride, block, upper, input, out TInteger a1, out TInteger b1);
        MultiplyHalfOfRows<TIntegers, TInteger, TVector>(rows + (2 * rowBytes), stride, block, upper, input, out TInteger a2, out TInteger b2);
        MultiplyHalfOfRows<TIntegers, TInteger, TVector>(rows + (3 * rowBytes), stride, block, upper, input, out TInteger a3, out TInteger b3);
        first = TIntegers.SumSegments(a0, a1, a2, a3);
        second = TIntegers.SumSegments(b0, b1, b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyHalfOfRows<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, int upper, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        ReadCodes<TIntegers, TInteger, TVector>(rows, stride, block, upper, out TInteger codes, out TInteger secondCodes);
        first = StripDot<TIntegers, TInteger, TVector>.AddBytes(codes, input);
        second = StripDot<TIntegers, TInteger, TVector>.AddBytes(secondCodes, input + StripInput.BlockBytes);
    }

    // Signed bytes. Four blocks share 64 bytes of low bits, blocks 0 and 2 the first half, 1 and 3 the second, and 32 bytes of
    // high bits, two in a byte for each block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadCodes<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, int upper, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        int shift = 2 * (block & 3); // 0 or 4
        byte* low = rows + (block / 4 * 64) + upper;
        TInteger nibbles = TIntegers.Fill(0x0F0F0F0F);
        TInteger highBits = TIntegers.Fill(0x30303030);
        TInteger center = TIntegers.Fill(0x20202020);
        TInteger high = TIntegers.ShiftRight(TIntegers.LoadRows(rows + 128 + (block / 4 * 32) + upper, stride), shift);
        first = TIntegers.Or(
            TIntegers.And(TIntegers.ShiftRight(TIntegers.LoadRows(low, stride), shift), nibbles),
            TIntegers.And(TIntegers.ShiftLeft(high, 4), highBits));
        second = TIntegers.Or(
            TIntegers.And(TIntegers.ShiftRight(TIntegers.LoadRows(low + 32, stride), shift), nibbles),
            TIntegers.And(TIntegers.ShiftLeft(high, 2), highBits));
        first = TIntegers.SubtractBytes(first, center);
        second = TIntegers.SubtractBytes(second, center);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StripBlock<TInteger> Scale<TIntegers, TInteger, TVector>(
        TInteger lower, TInteger upper, TInteger scales, int index)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger scale = StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, index);
        TInteger upperScale = StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, index + 1);
        return new StripBlock<TInteger>(
            TIntegers.MultiplyShorts(TIntegers.EvenBytes(lower), scale),
            TIntegers.MultiplyShorts(TIntegers.OddBytes(lower), scale),
            TIntegers.MultiplyShorts(TIntegers.EvenBytes(upper), upperScale),
            TIntegers.MultiplyShorts(TIntegers.OddBytes(upper), upperScale));
    }
}
