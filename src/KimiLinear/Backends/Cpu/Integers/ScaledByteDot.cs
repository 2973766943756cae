using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Codes from 0 to 15, a byte each, times <see cref="QuantizedForm.Bytes"/>, with scales from 0 to 255.</summary>
internal readonly struct ScaledByteDot : IPanelDot
{
    public static int ChunkCount => 8;

    public static bool HasByteCodes => true;

    public static bool HasIntegerScales => true;

    public static bool HasOffsets => true;

    public static bool HasInputScales => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Multiply<TIntegers, TInteger, TVector>(TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.ProductsOfBytes(codes, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger AddSums<TIntegers, TInteger, TVector>(TInteger a, TInteger b)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.AddSumsOfBytes(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Add<TIntegers, TInteger, TVector>(TInteger sums, TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.AddBytes(sums, codes, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Total<TIntegers, TInteger, TVector>(TInteger sums)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.TotalOfBytes(sums);
}
