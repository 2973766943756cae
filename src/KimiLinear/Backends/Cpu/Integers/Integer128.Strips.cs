using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

internal readonly unsafe partial struct Integer128
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LoadRows(byte* source, long stride) => Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LoadSegment(byte* source) => Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ShuffleBytes(Vector128<int> bytes, Vector128<int> order) => Ssse3.IsSupported
        ? Ssse3.Shuffle(bytes.AsByte(), order.AsByte()).AsInt32()
        : Vector128.Shuffle(bytes.AsByte(), order.AsByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Fill(int bits) => Vector128.Create(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> And(Vector128<int> a, Vector128<int> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Or(Vector128<int> a, Vector128<int> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> SubtractBytes(Vector128<int> a, Vector128<int> b) => (a.AsSByte() - b.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> MultiplyShorts(Vector128<int> a, Vector128<int> b) => (a.AsInt16() * b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ShiftLeft(Vector128<int> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ShiftRight(Vector128<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ShiftRightSigned(Vector128<int> value, [ConstantExpected] int count) => value >> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ShiftRightShorts(Vector128<int> value, [ConstantExpected] int count) =>
        (value.AsInt16() >>> count).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Multiply(Vector128<int> a, Vector128<int> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> SumSegments(Vector128<int> a, Vector128<int> b, Vector128<int> c, Vector128<int> d)
    {
        Vector128<long> ab = (UnpackLow(a, b) + UnpackHigh(a, b)).AsInt64();
        Vector128<long> cd = (UnpackLow(c, d) + UnpackHigh(c, d)).AsInt64();
        return UnpackLow(ab, cd).AsInt32() + UnpackHigh(ab, cd).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref Vector128<int> a, ref Vector128<int> b, ref Vector128<int> c, ref Vector128<int> d)
    {
        Vector128<long> abLow = UnpackLow(a, b).AsInt64();
        Vector128<long> abHigh = UnpackHigh(a, b).AsInt64();
        Vector128<long> cdLow = UnpackLow(c, d).AsInt64();
        Vector128<long> cdHigh = UnpackHigh(c, d).AsInt64();
        a = UnpackLow(abLow, cdLow).AsInt32();
        b = UnpackHigh(abLow, cdLow).AsInt32();
        c = UnpackLow(abHigh, cdHigh).AsInt32();
        d = UnpackHigh(abHigh, cdHigh).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromFloat16(Vector128<int> bits) => Simd128.FromFloat16(bits.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> UnpackLow(Vector128<int> a, Vector128<int> b) =>
        Sse2.IsSupported ? Sse2.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> UnpackLow(Vector128<long> a, Vector128<long> b) =>
        Vector128.Create(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> UnpackHigh(Vector128<int> a, Vector128<int> b) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> UnpackHigh(Vector128<long> a, Vector128<long> b) =>
        Vector128.Create(a.GetUpper(), b.GetUpper());
}
