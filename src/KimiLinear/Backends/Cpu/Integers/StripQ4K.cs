using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ4K"/>: 16 bytes of scales, then for each two blocks 32 bytes, the first's codes low, the second's high.</summary>
internal readonly unsafe struct StripQ4K : IStripFormat
{
    public static DataType Type => DataType.GgufQ4K;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + 16 + (block * 16);
        TInteger lower = TIntegers.LoadRows(codes, stride);
        TInteger upper = TIntegers.LoadRows(codes + 16, stride);
        first = StripBits.LowNibbles<TIntegers, TInteger, TVector>(lower, upper);
        second = StripBits.LowNibbles<TIntegers, TInteger, TVector>(TIntegers.ShiftRight(lower, 4), TIntegers.ShiftRight(upper, 4));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        long stride = StripLayout.GroupCount * rowBytes;
        byte* codes = rows + 16 + (block * 16);
        Multiply<TIntegers, TInteger, TVector>(codes, stride, input, out TInteger a0, out TInteger b0);
        Multiply<TIntegers, TInteger, TVector>(codes + rowBytes, stride, input, out TInteger a1, out TInteger b1);
        Multiply<TIntegers, TInteger, TVector>(codes + (2 * rowBytes), stride, input, out TInteger a2, out TInteger b2);
        Multiply<TIntegers, TInteger, TVector>(codes + (3 * rowBytes), stride, input, out TInteger a3, out TInteger b3);
        first = TIntegers.SumSegments(a0, a1, a2, a3);
        second = TIntegers.SumSegments(b0, b1, b2, b3);
    }

    // Codes are multiplied where they stand in 16 bits and the sums are shifted instead: exact, since nothing is below them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TIntegers, TInteger, TVector>(
        byte* codes, long stride, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* next = input + StripInput.BlockBytes;
        TInteger lower = TIntegers.LoadRows(codes, stride);
        TInteger upper = TIntegers.LoadRows(codes + 16, stride);
        TInteger even = StripDot<TIntegers, TInteger, TVector>.Add(
            TIntegers.And(lower, TIntegers.Fill(0x000F000F)), input, TIntegers.And(upper, TIntegers.Fill(0x000F000F)));
        TInteger odd = StripDot<TIntegers, TInteger, TVector>.Add(
            TIntegers.And(lower, TIntegers.Fill(0x0F000F00)), input + 16, TIntegers.And(upper, TIntegers.Fill(0x0F000F00)));
        first = TIntegers.Add(even, TIntegers.ShiftRightSigned(odd, 8));
        even = StripDot<TIntegers, TInteger, TVector>.Add(
            TIntegers.And(lower, TIntegers.Fill(0x00F000F0)), next, TIntegers.And(upper, TIntegers.Fill(0x00F000F0)));
        odd = StripDot<TIntegers, TInteger, TVector>.Add(
            TIntegers.ShiftRightShorts(lower, 12), next + 16, TIntegers.ShiftRightShorts(upper, 12));
        second = TIntegers.Add(TIntegers.ShiftRightSigned(even, 4), odd);
    }
}
