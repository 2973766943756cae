using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ51"/>: blocks of 24 bytes, a scale, an offset, fifth bits and the lower 4 bits of codes.</summary>
internal readonly unsafe struct StripQ51 : IStripFormat
{
    public static DataType Type => DataType.GgufQ51;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + (block * 24) + 8;
        first = StripBits.FiveBits<TIntegers, TInteger, TVector>(codes, stride);
        second = StripBits.FiveBits<TIntegers, TInteger, TVector>(codes + 24, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        StripDot<TIntegers, TInteger, TVector>.Multiply<StripQ51>(rows, rowBytes, block, input, out first, out second);
}
