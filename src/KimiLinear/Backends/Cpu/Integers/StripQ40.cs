using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ40"/>: blocks of 18 bytes, a scale and 4-bit codes around 8.</summary>
internal readonly unsafe struct StripQ40 : IStripFormat
{
    public static DataType Type => DataType.GgufQ40;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + (block * 18) + 2;
        first = StripBits.Nibbles<TIntegers, TInteger, TVector>(codes, stride);
        second = StripBits.Nibbles<TIntegers, TInteger, TVector>(codes + 18, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        StripDot<TIntegers, TInteger, TVector>.Multiply<StripQ40>(rows, rowBytes, block, input, out first, out second);
}
