using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>Integers in 256-bit registers, for machines with AVX2; with AVX-VNNI, products and sums are one instruction.</summary>
/// <remarks>Without it, byte products are summed in 16 bits as in <see cref="Integer512"/>.</remarks>
internal readonly unsafe struct Integer256 : IIntegerSimd<Vector256<int>, Vector256<float>>
{
    public static int Lanes => 8;

    public static Vector256<int> Zero => Vector256<int>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load(byte* source) => Vector256.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* destination, Vector256<int> value) => value.Store((int*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Broadcast(byte* source) => Vector256.Create(*(int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LowNibbles(Vector256<int> bytes) => bytes & Vector256.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> HighNibbles(Vector256<int> bytes) => (bytes >>> 4) & Vector256.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> EvenBytes(Vector256<int> bytes) => ((bytes.AsInt16() << 8) >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> OddBytes(Vector256<int> bytes) => (bytes.AsInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddBytes(Vector256<int> sums, Vector256<int> codes, Vector256<int> signedBytes) =>
        AvxVnni.IsSupported
            ? AvxVnni.MultiplyWideningAndAdd(sums, codes.AsByte(), signedBytes.AsSByte())
            : (sums.AsInt16() + Avx2.MultiplyAddAdjacent(codes.AsByte(), signedBytes.AsSByte())).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddBytes(
        ref Vector256<int> s0, ref Vector256<int> s1, ref Vector256<int> s2, ref Vector256<int> s3,
        Vector256<int> codes, Vector256<int> x0, Vector256<int> x1, Vector256<int> x2, Vector256<int> x3)
    {
        s0 = AddBytes(s0, codes, x0);
        s1 = AddBytes(s1, codes, x1);
        s2 = AddBytes(s2, codes, x2);
        s3 = AddBytes(s3, codes, x3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> TotalOfBytes(Vector256<int> sums) =>
        AvxVnni.IsSupported ? sums : Avx2.MultiplyAddAdjacent(sums.AsInt16(), Vector256<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> TotalOfBytes(Vector256<int> sums, Vector256<int> factors) =>
        AvxVnni.IsSupported
            ? sums * (factors & Vector256.Create(0xFFFF))
            : Avx2.MultiplyAddAdjacent(sums.AsInt16(), factors.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddShorts(Vector256<int> sums, Vector256<int> a, Vector256<int> b) =>
        AvxVnni.IsSupported
            ? AvxVnni.MultiplyWideningAndAdd(sums, a.AsInt16(), b.AsInt16())
            : sums + Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddShorts(
        ref Vector256<int> s0, ref Vector256<int> s1, ref Vector256<int> s2, ref Vector256<int> s3,
        Vector256<int> codes, Vector256<int> x0, Vector256<int> x1, Vector256<int> x2, Vector256<int> x3)
    {
        s0 = AddShorts(s0, codes, x0);
        s1 = AddShorts(s1, codes, x1);
        s2 = AddShorts(s2, codes, x2);
        s3 = AddShorts(s3, codes, x3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> a, Vector256<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Combine(Vector256<int> high, Vector256<int> low) => (high << 8) + low;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToFloat(Vector256<int> value) => Vector256.ConvertToSingle(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadBytesAsPairs(byte* source)
    {
        Vector256<int> values = Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(*(long*)source).AsByte());
        return values | (values << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBytesAsFloat(byte* source) =>
        Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(*(long*)source).AsByte()));

    public static int SegmentBytes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadRows(byte* source, long stride) =>
        Vector256.Create(Integer128.Load(source), Integer128.Load(source + stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadRowShorts(byte* source, long stride) =>
        Vector256.Create(Integer128.LoadRowShorts(source, stride), Integer128.LoadRowShorts(source + stride, stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadSegment(byte* source) => Avx2.BroadcastVector128ToVector256((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Fill(int bits) => Vector256.Create(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Mask(Vector256<int> value, int bits) => value & Vector256.Create(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Or(Vector256<int> a, Vector256<int> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftRight(Vector256<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> SubtractShorts(Vector256<int> a, Vector256<int> b) => (a.AsInt16() - b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> MultiplyShorts(Vector256<int> a, Vector256<int> b) => (a.AsInt16() * b.AsInt16()).AsInt32();

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
    private static Vector256<int> UnpackLow(Vector256<int> a, Vector256<int> b) => Avx2.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> UnpackLow(Vector256<long> a, Vector256<long> b) => Avx2.UnpackLow(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> UnpackHigh(Vector256<int> a, Vector256<int> b) => Avx2.UnpackHigh(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<long> UnpackHigh(Vector256<long> a, Vector256<long> b) => Avx2.UnpackHigh(a, b);
}
