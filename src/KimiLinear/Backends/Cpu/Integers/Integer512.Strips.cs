using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

internal readonly unsafe partial struct Integer512
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LoadRows(byte* source, long stride) =>
        Integer256.LoadRows(source, stride).ToVector512Unsafe().WithUpper(Integer256.LoadRows(source + (2 * stride), stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LoadSegment(byte* source) => Avx512F.BroadcastVector128ToVector512((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShuffleBytes(Vector512<int> bytes, Vector512<int> order) =>
        Avx512BW.Shuffle(bytes.AsByte(), order.AsByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Fill(int bits) => Vector512.Create(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> And(Vector512<int> a, Vector512<int> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Or(Vector512<int> a, Vector512<int> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> SubtractBytes(Vector512<int> a, Vector512<int> b) => (a.AsSByte() - b.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyShorts(Vector512<int> a, Vector512<int> b) => (a.AsInt16() * b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftLeft(Vector512<int> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftRight(Vector512<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftRightSigned(Vector512<int> value, [ConstantExpected] int count) => value >> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftRightShorts(Vector512<int> value, [ConstantExpected] int count) =>
        (value.AsInt16() >>> count).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Multiply(Vector512<int> a, Vector512<int> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> SumSegments(Vector512<int> a, Vector512<int> b, Vector512<int> c, Vector512<int> d)
    {
        Vector512<long> ab = (UnpackLow(a, b) + UnpackHigh(a, b)).AsInt64();
        Vector512<long> cd = (UnpackLow(c, d) + UnpackHigh(c, d)).AsInt64();
        return UnpackLow(ab, cd).AsInt32() + UnpackHigh(ab, cd).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Vector512<int> a, ref Vector512<int> b, ref Vector512<int> c, ref Vector512<int> d)
    {
        Vector512<long> abLow = UnpackLow(a, b).AsInt64();
        Vector512<long> abHigh = UnpackHigh(a, b).AsInt64();
        Vector512<long> cdLow = UnpackLow(c, d).AsInt64();
        Vector512<long> cdHigh = UnpackHigh(c, d).AsInt64();
        a = UnpackLow(abLow, cdLow).AsInt32();
        b = UnpackHigh(abLow, cdLow).AsInt32();
        c = UnpackLow(abHigh, cdHigh).AsInt32();
        d = UnpackHigh(abHigh, cdHigh).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FromFloat16(Vector512<int> bits) => Simd512.FromFloat16(bits.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> UnpackLow(Vector512<int> a, Vector512<int> b) => Avx512F.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> UnpackHigh(Vector512<int> a, Vector512<int> b) => Avx512F.UnpackHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<long> UnpackLow(Vector512<long> a, Vector512<long> b) => Avx512F.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<long> UnpackHigh(Vector512<long> a, Vector512<long> b) => Avx512F.UnpackHigh(a, b);
}
