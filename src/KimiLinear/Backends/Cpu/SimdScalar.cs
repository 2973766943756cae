using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>One value at a time, for machines without vector instructions.</summary>
internal readonly unsafe struct SimdScalar : ISimd<float>
{
    public static int Width => 1;

    public static bool HasManyRegisters => false;

    public static float Zero => 0;

    public static float Broadcast(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => Unsafe.ReadUnaligned<float>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, float value) => Unsafe.WriteUnaligned(destination, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadBFloat16(ushort* source) =>
        BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(source) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadFloat16(ushort* source) => (float)BitConverter.UInt16BitsToHalf(Unsafe.ReadUnaligned<ushort>(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadInt16(short* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreInt16(short* destination, float value) =>
        *destination = (short)BitConverter.SingleToInt32Bits(value + VectorRounding.ToInteger);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadPairs(short* lower, short* upper) =>
        BitConverter.Int32BitsToSingle((ushort)*lower | (*upper << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAddPairs(float a, float b, float c)
    {
        int left = BitConverter.SingleToInt32Bits(a);
        int right = BitConverter.SingleToInt32Bits(b);
        int sum = BitConverter.SingleToInt32Bits(c);
        return BitConverter.Int32BitsToSingle(sum + ((short)left * (short)right) + ((left >> 16) * (right >> 16)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ConvertToFloat(float integers) => BitConverter.SingleToInt32Bits(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ScaleByPowerOfTwo(float value, float exponents) => BitConverter.Int32BitsToSingle(
        BitConverter.SingleToInt32Bits(value) + (BitConverter.SingleToInt32Bits(exponents) << 23));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => MathF.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Larger(float a, float b) => a > b ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => (a * b) + c;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Exp(float value) => MathF.Exp(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Log1P(float value) => float.LogP1(value);

    public static void TransposeBFloat16(
        ushort* source, long sourceStride, float* destination, long laneStride, long groupStride) =>
        PlainTranspose.Run(Width, source, sourceStride, destination, laneStride, groupStride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(float a, float b, float c, float d) => Vector128.Create(a, b, c, d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max4(float a, float b, float c, float d) => Vector128.Create(a, b, c, d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(float value) => value;
}
