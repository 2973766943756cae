using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>Vectors of 512 bits.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Width => 16;

    public static bool HasManyRegisters => true;

    public static Vector512<float> Zero => Vector512<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector512<float> value) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBFloat16(ushort* source) => (Widen(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadFloat16(ushort* source) => FromFloat16(Widen(source));

    /// <summary>The half-precision numbers in the lower halves of the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FromFloat16(Vector512<uint> bits)
    {
        Vector512<uint> sign = (bits & Vector512.Create(0x8000u)) << 16;
        // The exponent is re-biased by a multiplication, which is exact and also right for subnormal numbers.
        Vector512<float> rebias = Vector512.Create(Float16Weights.ExponentRebias);
        Vector512<float> magnitude = ((bits & Vector512.Create(0x7FFFu)) << 13).AsSingle() * rebias;
        // An exponent of all ones is infinity or NaN and stays all ones.
        Vector512<uint> special = Vector512.GreaterThanOrEqual(bits & Vector512.Create(0x7FFFu), Vector512.Create(0x7C00u))
            & Vector512.Create(0x7F800000u);
        return (magnitude.AsUInt32() | special | sign).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadInt16(short* source) =>
        Vector512.ConvertToSingle((Widen((ushort*)source).AsInt32() << 16) >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInt16(short* destination, Vector512<float> value)
    {
        Vector512<int> rounded = (value + Vector512.Create(VectorRounding.ToInteger)).AsInt32();
        Vector256<short> narrowed = Avx512F.IsSupported
            ? Avx512F.ConvertToVector256Int16(rounded)
            : Vector512.Narrow(rounded, rounded).GetLower();
        narrowed.Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadPairs(short* lower, short* upper) =>
        (Widen((ushort*)lower) | (Widen((ushort*)upper) << 16)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAddPairs(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512BW.IsSupported
            ? (Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()) + c.AsInt32()).AsSingle()
            : MultiplyAddWidened(a.AsInt32(), b.AsInt32(), c.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ConvertToFloat(Vector512<float> integers) => Vector512.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ScaleByPowerOfTwo(Vector512<float> value, Vector512<float> exponents) =>
        (value.AsInt32() + (exponents.AsInt32() << 23)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Larger(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> value) => Vector512.Exp(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Log1P(Vector512<float> value)
    {
        // ln(u) · x / (u − 1) with u = 1 + x undoes the rounding of u (Goldberg 1991, theorem 4).
        Vector512<float> u = value + Vector512<float>.One;
        Vector512<float> correction = value / (u - Vector512<float>.One);
        return Vector512.ConditionalSelect(Vector512.Equals(u, Vector512<float>.One), value, Vector512.Log(u) * correction);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeBFloat16(
        ushort* source, long sourceStride, float* destination, long laneStride, long groupStride)
    {
        if (!Avx512F.IsSupported)
        {
            PlainTranspose.Run(Width, source, sourceStride, destination, laneStride, groupStride);
            return;
        }

        // Rows 0, 4, 8 and 12 side by side, and so 1, 5, 9 and 13, 2 ... and 3 ...: then four
        // pairs of columns at a time are exchanged within quarters.
        for (int column = 0; column < 2 * Width; column += 8)
        {
            ushort* rows = source + column;
            Vector512<uint> a = LoadQuarters(rows, sourceStride);
            Vector512<uint> b = LoadQuarters(rows + sourceStride, sourceStride);
            Vector512<uint> c = LoadQuarters(rows + (2 * sourceStride), sourceStride);
            Vector512<uint> d = LoadQuarters(rows + (3 * sourceStride), sourceStride);
            Vector512<ulong> abLow = Avx512F.UnpackLow(a, b).AsUInt64(), abHigh = Avx512F.UnpackHigh(a, b).AsUInt64();
            Vector512<ulong> cdLow = Avx512F.UnpackLow(c, d).AsUInt64(), cdHigh = Avx512F.UnpackHigh(c, d).AsUInt64();
            float* target = destination + (column % Width * laneStride) + (column / Width * groupStride);
            StorePair(Avx512F.UnpackLow(abLow, cdLow).AsUInt32(), target, laneStride);
            StorePair(Avx512F.UnpackHigh(abLow, cdLow).AsUInt32(), target + (2 * laneStride), laneStride);
            StorePair(Avx512F.UnpackLow(abHigh, cdHigh).AsUInt32(), target + (4 * laneStride), laneStride);
            StorePair(Avx512F.UnpackHigh(abHigh, cdHigh).AsUInt32(), target + (6 * laneStride), laneStride);
        }
    }

    // Lanes of two numbers that follow each other in a row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePair(Vector512<uint> pairs, float* destination, long stride)
    {
        (pairs << 16).AsSingle().Store(destination);
        (pairs & Vector512.Create(0xFFFF0000u)).AsSingle().Store(destination + stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> LoadQuarters(ushort* source, long stride) => Vector512.Create(
        Vector256.Create(Vector128.Load(source), Vector128.Load(source + (4 * stride))),
        Vector256.Create(Vector128.Load(source + (8 * stride)), Vector128.Load(source + (12 * stride)))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value) => Simd256.Sum(Fold(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd256.Sum4(Fold(a), Fold(b), Fold(c), Fold(d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd256.Max4(FoldMax(a), FoldMax(b), FoldMax(c), FoldMax(d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector512<float> value) => Simd256.MaxAcross(Vector256.Max(value.GetLower(), value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FoldMax(Vector512<float> value) =>
        Vector256.MaxNative(value.GetLower(), value.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Fold(Vector512<float> value) => value.GetLower() + value.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> MultiplyAddWidened(Vector512<int> a, Vector512<int> b, Vector512<int> c) =>
        (((a << 16) >> 16) * ((b << 16) >> 16)) + ((a >> 16) * (b >> 16)) + c;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Widen(ushort* source) =>
        Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe());
}
