using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace KimiLinear.Backends;

/// <summary>Integers in 128-bit registers: NEON, with the dot product instruction where there is one, and SSE.</summary>
internal readonly unsafe partial struct Integer128 : IStripSimd<Vector128<int>, Vector128<float>>
{
    public static int Lanes => 4;

    public static Vector128<int> Zero => Vector128<int>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Load(byte* source) => Vector128.Load((int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* destination, Vector128<int> value) => value.Store((int*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Broadcast(byte* source) => Vector128.Create(*(int*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LowNibbles(Vector128<int> bytes) => bytes & Vector128.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> HighNibbles(Vector128<int> bytes) => (bytes >>> 4) & Vector128.Create(0x0F0F0F0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> EvenBytes(Vector128<int> bytes) => ((bytes.AsInt16() << 8) >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> OddBytes(Vector128<int> bytes) => (bytes.AsInt16() >> 8).AsInt32();

    // Codes have no sign bit, so that they are the same as signed bytes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddBytes(Vector128<int> sums, Vector128<int> codes, Vector128<int> signedBytes)
    {
        if (Dp.IsSupported)
        {
            return Dp.DotProduct(sums, codes.AsSByte(), signedBytes.AsSByte());
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            // Two products fit 16 bits.
            Vector128<short> lower = AdvSimd.MultiplyWideningLower(codes.AsSByte().GetLower(), signedBytes.AsSByte().GetLower());
            Vector128<short> upper = AdvSimd.MultiplyWideningUpper(codes.AsSByte(), signedBytes.AsSByte());
            return AdvSimd.AddPairwiseWideningAndAdd(sums, AdvSimd.Arm64.AddPairwise(lower, upper));
        }

        return AddShorts(AddShorts(sums, EvenBytes(codes), EvenBytes(signedBytes)), OddBytes(codes), OddBytes(signedBytes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ProductsOfBytes(Vector128<int> codes, Vector128<int> signedBytes) =>
        AddBytes(Zero, codes, signedBytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddSumsOfBytes(Vector128<int> a, Vector128<int> b) =>
        a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> TotalOfBytes(Vector128<int> sums) => sums;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> TotalOfBytes(Vector128<int> sums, Vector128<int> factors) =>
        sums * (factors & Vector128.Create(0xFFFF));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> AddShorts(Vector128<int> sums, Vector128<int> a, Vector128<int> b)
    {
        if (Sse2.IsSupported)
        {
            return sums + Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16());
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            Vector128<int> lower = AdvSimd.MultiplyWideningLower(a.AsInt16().GetLower(), b.AsInt16().GetLower());
            Vector128<int> upper = AdvSimd.MultiplyWideningUpper(a.AsInt16(), b.AsInt16());
            return sums + AdvSimd.Arm64.AddPairwise(lower, upper);
        }

        Vector128<int> even = ((a << 16) >> 16) * ((b << 16) >> 16);
        return sums + even + ((a >> 16) * (b >> 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> ProductsOfShorts(Vector128<int> a, Vector128<int> b) =>
        AddShorts(Zero, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Add(Vector128<int> a, Vector128<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Combine(Vector128<int> high, Vector128<int> low) => (high << 8) + low;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToFloat(Vector128<int> value) => Vector128.ConvertToSingle(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LoadBytesAsPairs(byte* source)
    {
        Vector128<int> values = LoadBytesAsIntegers(source);
        return values | (values << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> LoadBytesAsIntegers(byte* source)
    {
        Vector128<ushort> shorts = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(int*)source).AsByte());
        return Vector128.WidenLower(shorts).AsInt32();
    }
}
