using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

internal readonly unsafe partial struct Integer256
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadRows(byte* source, long stride) =>
        Integer128.Load(source).ToVector256Unsafe().WithUpper(Integer128.Load(source + stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadSegment(byte* source) => Avx2.BroadcastVector128ToVector256((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShuffleBytes(Vector256<int> bytes, Vector256<int> order) =>
        Avx2.Shuffle(bytes.AsByte(), order.AsByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Fill(int bits) => Vector256.Create(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> And(Vector256<int> a, Vector256<int> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Or(Vector256<int> a, Vector256<int> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> SubtractBytes(Vector256<int> a, Vector256<int> b) => (a.AsSByte() - b.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> MultiplyShorts(Vector256<int> a, Vector256<int> b) => (a.AsInt16() * b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftLeft(Vector256<int> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftRight(Vector256<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftRightSigned(Vector256<int> value, [ConstantExpected] int count) => value >> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftRightShorts(Vector256<int> value, [ConstantExpected] int count) =>
        (value.AsInt16() >>> count).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Multiply(Vector256<int> a, Vector256<int> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> SumSegments(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d)
    {
        Vector256<long> ab = (UnpackLow(a, b) + UnpackHigh(a, b)).AsInt64();
        Vector256<long> cd = (UnpackLow(c, d) + UnpackHigh(c, d)).AsInt64();
        return UnpackLow(ab, cd).AsInt32() + UnpackHigh(ab, cd).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Vector256<int> a, ref Vector256<int> b, ref Vector256<int> c, ref Vector256<int> d)
    {
        Vector256<long> abLow = UnpackLow(a, b).AsInt64();
        Vector256<long> abHigh = UnpackHigh(a, b).AsInt64();
        Vector256<long> cdLow = UnpackLow(c, d).AsInt64();
        Vector256<long> cdHigh = UnpackHigh(c, d).AsInt64();
        a = UnpackLow(abLow, cdLow).AsInt32();
        b = UnpackHigh(abLow, cdLow).AsInt32();
        c = UnpackLow(abHigh, cdHigh).AsInt32();
        d = UnpackHigh(abHigh, cdHigh).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FromFloat16(Vector256<int> bits) => Simd256.FromFloat16(bits.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> UnpackLow(Vector256<int> a, Vector256<int> b) => Avx2.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> UnpackHigh(Vector256<int> a, Vector256<int> b) => Avx2.UnpackHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> UnpackLow(Vector256<long> a, Vector256<long> b) => Avx2.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> UnpackHigh(Vector256<long> a, Vector256<long> b) => Avx2.UnpackHigh(a, b);
}
