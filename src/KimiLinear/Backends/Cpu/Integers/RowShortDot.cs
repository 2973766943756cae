using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Signed codes, 16 bits each, times <see cref="QuantizedForm.RowShorts"/>.</summary>
internal readonly struct RowShortDot : IPanelDot
{
    public static int ChunkCount => 16;

    public static bool HasByteCodes => false;

    public static bool HasIntegerScales => false;

    public static bool HasOffsets => false;

    public static bool HasInputScales => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Multiply<TIntegers, TInteger, TVector>(TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.ProductsOfShorts(codes, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger AddSums<TIntegers, TInteger, TVector>(TInteger a, TInteger b)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.Add(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Add<TIntegers, TInteger, TVector>(TInteger sums, TInteger codes, TInteger x)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.AddShorts(sums, codes, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Total<TIntegers, TInteger, TVector>(TInteger sums)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => sums;
}
