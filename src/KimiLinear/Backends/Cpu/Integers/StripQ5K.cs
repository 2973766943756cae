using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ5K"/>: as with 4 bits; before the codes are 32 bytes of fifth bits, bit p for block p.</summary>
internal readonly unsafe struct StripQ5K : IStripFormat
{
    public static DataType Type => DataType.GgufQ5K;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + 48 + (block * 16);
        Read<TIntegers, TInteger, TVector>(
            TIntegers.LoadRows(codes, stride),
            TIntegers.ShiftRight(TIntegers.LoadRows(rows + 16, stride), block),
            out TInteger even, out TInteger odd, out TInteger secondEven, out TInteger secondOdd);
        Read<TIntegers, TInteger, TVector>(
            TIntegers.LoadRows(codes + 16, stride),
            TIntegers.ShiftRight(TIntegers.LoadRows(rows + 32, stride), block),
            out TInteger upperEven, out TInteger upperOdd, out TInteger secondUpperEven, out TInteger secondUpperOdd);
        first = new StripBlock<TInteger>(even, odd, upperEven, upperOdd);
        second = new StripBlock<TInteger>(secondEven, secondOdd, secondUpperEven, secondUpperOdd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        StripDot<TIntegers, TInteger, TVector>.Multiply<StripQ5K>(rows, rowBytes, block, input, out first, out second);

    // Fifth bits are the lowest two of each byte.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Read<TIntegers, TInteger, TVector>(
        TInteger codes, TInteger fifths, out TInteger even, out TInteger odd, out TInteger secondEven, out TInteger secondOdd)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        TInteger nibbles = TIntegers.Fill(0x0F0F0F0F);
        TInteger fifth = TIntegers.Fill(0x10101010);
        TInteger first = TIntegers.Or(
            TIntegers.And(codes, nibbles), TIntegers.And(TIntegers.ShiftLeft(fifths, 4), fifth));
        TInteger second = TIntegers.Or(
            TIntegers.And(TIntegers.ShiftRight(codes, 4), nibbles), TIntegers.And(TIntegers.ShiftLeft(fifths, 3), fifth));
        even = TIntegers.EvenBytes(first);
        odd = TIntegers.OddBytes(first);
        secondEven = TIntegers.EvenBytes(second);
        secondOdd = TIntegers.OddBytes(second);
    }
}
