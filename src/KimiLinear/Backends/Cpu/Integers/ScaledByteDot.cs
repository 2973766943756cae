using System.Runtime.CompilerServices;

namespace KimiLinear.Backends;

/// <summary>Codes from 0 to 15, a byte each, times <see cref="QuantizedForm.Bytes"/>, with scales from 0 to 255.</summary>
internal readonly struct ScaledByteDot : IPanelDot
{
    public static int ChunkCount => 8;

    public static bool HasIntegerScales => true;

    public static bool HasOffsets => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<TIntegers, TInteger, TVector>(
        ref TInteger s0, ref TInteger s1, ref TInteger s2, ref TInteger s3,
        TInteger codes, TInteger x0, TInteger x1, TInteger x2, TInteger x3)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct =>
        TIntegers.AddBytes(ref s0, ref s1, ref s2, ref s3, codes, x0, x1, x2, x3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<TIntegers, TInteger, TVector>(
        ref TInteger s0, ref TInteger s1, TInteger codes, TInteger x0, TInteger x1)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct
    {
        s0 = TIntegers.AddBytes(s0, codes, x0);
        s1 = TIntegers.AddBytes(s1, codes, x1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Total<TIntegers, TInteger, TVector>(TInteger sums)
        where TIntegers : struct, IIntegerSimd<TInteger, TVector>
        where TInteger : struct
        where TVector : struct => TIntegers.TotalOfBytes(sums);
}
