using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>Integers in 512-bit registers, for machines with AVX-512BW.</summary>
/// <remarks>
/// Byte products are summed in 16 bits: a 16-bit lane takes 16 of a block's 32 products, at most 15 · 128 each, which fits.
/// Where the runtime offers the 512-bit form of VPDPBUSD, it can replace the two instructions of <c>AddBytes</c>, and with them
/// <see cref="VnniKernels"/>.
/// </remarks>
internal readonly unsafe partial struct Integer512 : IStripSimd<Vector512<int>, Vector512<float>>
{
    public static int Lanes => 16;

    public static Vector512<int> Zero => Vector512<int>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Load(byte* source) => Vector512.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* destination, Vector512<int> value) => value.Store((int*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Broadcast(byte* source) => Vector512.Create(*(int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LowNibbles(Vector512<int> bytes) => bytes & Vector512.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> HighNibbles(Vector512<int> bytes)
    {
        if (Gfni.V512.IsSupported)
        {
            // A row of the matrix for each bit of the result: bits 4 to 7 become 0 to 3. One instruction instead of two.
            Vector512<byte> matrix = Vector512.Create(0x10204080_00000000ul).AsByte();
            return Gfni.V512.GaloisFieldAffineTransform(bytes.AsByte(), matrix, 0).AsInt32();
        }

        return (bytes >>> 4) & Vector512.Create(0x0F0F0F0F);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> EvenBytes(Vector512<int> bytes) => ((bytes.AsInt16() << 8) >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> OddBytes(Vector512<int> bytes) => (bytes.AsInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddBytes(Vector512<int> sums, Vector512<int> codes, Vector512<int> signedBytes) =>
        AddSumsOfBytes(sums, ProductsOfBytes(codes, signedBytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ProductsOfBytes(Vector512<int> codes, Vector512<int> signedBytes) =>
        Avx512BW.MultiplyAddAdjacent(codes.AsByte(), signedBytes.AsSByte()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddSumsOfBytes(Vector512<int> a, Vector512<int> b) =>
        (a.AsInt16() + b.AsInt16()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> TotalOfBytes(Vector512<int> sums) =>
        Avx512BW.MultiplyAddAdjacent(sums.AsInt16(), Vector512<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> TotalOfBytes(Vector512<int> sums, Vector512<int> factors) =>
        Avx512BW.MultiplyAddAdjacent(sums.AsInt16(), factors.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddShorts(Vector512<int> sums, Vector512<int> a, Vector512<int> b) =>
        sums + ProductsOfShorts(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ProductsOfShorts(Vector512<int> a, Vector512<int> b) =>
        Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Add(Vector512<int> a, Vector512<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Combine(Vector512<int> high, Vector512<int> low) => (high << 8) + low;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToFloat(Vector512<int> value) => Vector512.ConvertToSingle(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LoadBytesAsPairs(byte* source)
    {
        // Each quarter takes its four bytes of the sixteen; an index with the highest bit set stands for zero.
        Vector512<byte> places = Vector512.Create(
            0x80018001_80008000ul, 0x80038003_80028002ul, 0x80058005_80048004ul, 0x80078007_80068006ul,
            0x80098009_80088008ul, 0x800B800B_800A800Aul, 0x800D800D_800C800Cul, 0x800F800F_800E800Eul).AsByte();
        return Avx512BW.Shuffle(Avx512F.BroadcastVector128ToVector512((int*)source).AsByte(), places).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LoadBytesAsIntegers(byte* source) =>
        Avx512F.ConvertToVector512Int32(Vector128.Load(source));
}
