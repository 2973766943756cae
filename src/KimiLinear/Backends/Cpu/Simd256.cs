using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>Vectors of 256 bits.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Width => 8;

    public static bool HasManyRegisters => false;

    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector256<float> value) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBFloat16(ushort* source) => (Widen(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFloat16(ushort* source) => FromFloat16(Widen(source));

    /// <summary>The half-precision numbers in the lower halves of the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FromFloat16(Vector256<uint> bits)
    {
        Vector256<uint> sign = (bits & Vector256.Create(0x8000u)) << 16;
        // The exponent is re-biased by a multiplication, which is exact and also right for subnormal numbers.
        Vector256<float> rebias = Vector256.Create(Float16Weights.ExponentRebias);
        Vector256<float> magnitude = ((bits & Vector256.Create(0x7FFFu)) << 13).AsSingle() * rebias;
        // An exponent of all ones is infinity or NaN and stays all ones.
        Vector256<uint> special = Vector256.GreaterThanOrEqual(bits & Vector256.Create(0x7FFFu), Vector256.Create(0x7C00u))
            & Vector256.Create(0x7F800000u);
        return (magnitude.AsUInt32() | special | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadInt16(short* source) =>
        Vector256.ConvertToSingle((Widen((ushort*)source).AsInt32() << 16) >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInt16(short* destination, Vector256<float> value)
    {
        Vector256<int> rounded = (value + Vector256.Create(VectorRounding.ToInteger)).AsInt32();
        Vector256.Narrow(rounded, rounded).GetLower().Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadPairs(short* lower, short* upper) =>
        (Widen((ushort*)lower) | (Widen((ushort*)upper) << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAddPairs(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Avx2.IsSupported
            ? (Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()) + c.AsInt32()).AsSingle()
            : MultiplyAddWidened(a.AsInt32(), b.AsInt32(), c.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ConvertToFloat(Vector256<float> integers) => Vector256.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ScaleByPowerOfTwo(Vector256<float> value, Vector256<float> exponents) =>
        (value.AsInt32() + (exponents.AsInt32() << 23)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Larger(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> value) => Vector256.Exp(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Log1P(Vector256<float> value)
    {
        // ln(u) · x / (u − 1) with u = 1 + x undoes the rounding of u (Goldberg 1991, theorem 4).
        Vector256<float> u = value + Vector256<float>.One;
        Vector256<float> correction = value / (u - Vector256<float>.One);
        return Vector256.ConditionalSelect(Vector256.Equals(u, Vector256<float>.One), value, Vector256.Log(u) * correction);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeBFloat16(
        ushort* source, long sourceStride, float* destination, long laneStride, long groupStride)
    {
        if (!Avx2.IsSupported)
        {
            PlainTranspose.Run(Width, source, sourceStride, destination, laneStride, groupStride);
            return;
        }

        // Rows 0 and 4, 1 and 5, 2 and 6, 3 and 7 side by side: then four
        // pairs of columns at a time are exchanged within halves.
        for (int column = 0; column < 2 * Width; column += 8)
        {
            ushort* rows = source + column;
            Vector256<uint> a = LoadHalves(rows, sourceStride);
            Vector256<uint> b = LoadHalves(rows + sourceStride, sourceStride);
            Vector256<uint> c = LoadHalves(rows + (2 * sourceStride), sourceStride);
            Vector256<uint> d = LoadHalves(rows + (3 * sourceStride), sourceStride);
            Vector256<ulong> abLow = Avx2.UnpackLow(a, b).AsUInt64(), abHigh = Avx2.UnpackHigh(a, b).AsUInt64();
            Vector256<ulong> cdLow = Avx2.UnpackLow(c, d).AsUInt64(), cdHigh = Avx2.UnpackHigh(c, d).AsUInt64();
            float* target = destination + (column % Width * laneStride) + (column / Width * groupStride);
            StorePair(Avx2.UnpackLow(abLow, cdLow).AsUInt32(), target, laneStride);
            StorePair(Avx2.UnpackHigh(abLow, cdLow).AsUInt32(), target + (2 * laneStride), laneStride);
            StorePair(Avx2.UnpackLow(abHigh, cdHigh).AsUInt32(), target + (4 * laneStride), laneStride);
            StorePair(Avx2.UnpackHigh(abHigh, cdHigh).AsUInt32(), target + (6 * laneStride), laneStride);
        }
    }

    // Lanes of two numbers that follow each other in a row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePair(Vector256<uint> pairs, float* destination, long stride)
    {
        (pairs << 16).AsSingle().Store(destination);
        (pairs & Vector256.Create(0xFFFF0000u)).AsSingle().Store(destination + stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> LoadHalves(ushort* source, long stride) =>
        Vector256.Create(Vector128.Load(source), Vector128.Load(source + (4 * stride))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> value) => Simd128.Sum(Fold(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        Simd128.Sum4(Fold(a), Fold(b), Fold(c), Fold(d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        Simd128.Max4(FoldMax(a), FoldMax(b), FoldMax(c), FoldMax(d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> value) => Simd128.MaxAcross(Vector128.Max(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> FoldMax(Vector256<float> value) =>
        Vector128.MaxNative(value.GetLower(), value.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Fold(Vector256<float> value) => value.GetLower() + value.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> MultiplyAddWidened(Vector256<int> a, Vector256<int> b, Vector256<int> c) =>
        (((a << 16) >> 16) * ((b << 16) >> 16)) + ((a >> 16) * (b >> 16)) + c;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Widen(ushort* source) =>
        Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe());
}
