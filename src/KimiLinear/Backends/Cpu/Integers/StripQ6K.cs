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
        // Four blocks share 64 bytes of low bits, blocks 0 and 2 the first half, 1 and 3 the second, and 32 bytes of high bits.
        int quad = block / 4;
        byte* low = rows + (64 * quad);
        byte* high = rows + 128 + (32 * quad);
        int lowShift = 2 * (block % 4);
        TInteger scales = TIntegers.LoadRows(rows + 192, stride);
        Read<TIntegers, TInteger, TVector>(
            TIntegers.ShiftRight(TIntegers.LoadRows(low, stride), lowShift),
            TIntegers.ShiftRight(TIntegers.LoadRows(low + 32, stride), lowShift),
            TIntegers.ShiftRight(TIntegers.LoadRows(high, stride), lowShift),
            StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, 2 * block),
            StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, (2 * block) + 2),
            out TInteger even, out TInteger odd, out TInteger secondEven, out TInteger secondOdd);
        Read<TIntegers, TInteger, TVector>(
            TIntegers.ShiftRight(TIntegers.LoadRows(low + 16, stride), lowShift),
            TIntegers.ShiftRight(TIntegers.LoadRows(low + 48, stride), lowShift),
            TIntegers.ShiftRight(TIntegers.LoadRows(high + 16, stride), lowShift),
            StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, (2 * block) + 1),
            StripBits.SpreadByte<TIntegers, TInteger, TVector>(scales, (2 * block) + 3),
            out TInteger upperEven, out TInteger upperOdd, out TInteger secondUpperEven, out TInteger secondUpperOdd);
        first = new StripBlock<TInteger>(even, odd, upperEven, upperOdd);
        second = new StripBlock<TInteger>(secondEven, secondOdd, secondUpperEven, secondUpperOdd);
    }

    // The low 4 bits of each byte are the low bits; of the high bits, 0 and 1 are the first block's, 2 and 3 the second's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Read<TIntegers, TInteger, TVector>(
        TInteger firstLow,
        TInteger secondLow,
        TInteger high,
        TInteger firstScale,
        TInteger secondScale,
        out TInteger even,
        out TInteger odd,
        out TInteger secondEven,
        out TInteger secondOdd)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger nibbles = TIntegers.Fill(0x0F0F0F0F);
        TInteger highBits = TIntegers.Fill(0x30303030);
        TInteger center = TIntegers.Fill(0x20202020);
        TInteger first = TIntegers.Or(
            TIntegers.And(firstLow, nibbles), TIntegers.And(TIntegers.ShiftLeft(high, 4), highBits));
        TInteger second = TIntegers.Or(
            TIntegers.And(secondLow, nibbles), TIntegers.And(TIntegers.ShiftLeft(high, 2), highBits));
        first = TIntegers.SubtractBytes(first, center);
        second = TIntegers.SubtractBytes(second, center);
        even = TIntegers.MultiplyShorts(TIntegers.EvenBytes(first), firstScale);
        odd = TIntegers.MultiplyShorts(TIntegers.OddBytes(first), firstScale);
        secondEven = TIntegers.MultiplyShorts(TIntegers.EvenBytes(second), secondScale);
        secondOdd = TIntegers.MultiplyShorts(TIntegers.OddBytes(second), secondScale);
    }
}
