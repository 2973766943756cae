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
}
