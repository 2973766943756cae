using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary><see cref="DataType.GgufQ80"/>: blocks of 34 bytes, a scale and signed bytes.</summary>
internal readonly unsafe struct StripQ80 : IStripFormat
{
    public static DataType Type => DataType.GgufQ80;

    public static bool HasOffsets => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TIntegers, TInteger, TVector>(
        byte* rows, long stride, int block, out StripBlock<TInteger> first, out StripBlock<TInteger> second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        byte* codes = rows + (block * 34) + 2;
        first = StripBits.SignedBytes<TIntegers, TInteger, TVector>(codes, stride);
        second = StripBits.SignedBytes<TIntegers, TInteger, TVector>(codes + 34, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply<TIntegers, TInteger, TVector>(
        byte* rows, long rowBytes, byte* scales, int block, byte* input, out TInteger first, out TInteger second)
        where TIntegers : struct, IStripSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        StripDot<TIntegers, TInteger, TVector>.Multiply<StripQ80>(rows, rowBytes, block, input, out first, out second);
}
