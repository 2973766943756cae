using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ41"/>: blocks of 20 bytes, a scale, an offset and 4-bit codes.</summary>
internal readonly unsafe struct StripQ41 : IStripFormat
{
    public static DataType Type => DataType.GgufQ41;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + (block * 20) + 4;
        first = StripBits.Nibbles<TIntegers, TInteger, TVector>(codes, stride);
        second = StripBits.Nibbles<TIntegers, TInteger, TVector>(codes + 20, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        StripDot<TIntegers, TInteger, TVector>.Multiply<StripQ41>(rows, rowBytes, block, input, out first, out second);
}
