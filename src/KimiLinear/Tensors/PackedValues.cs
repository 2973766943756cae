using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>Which numbers can be packed.</summary>
internal static unsafe class PackedValues
{
    /// <summary>2^100: magnitudes must lie below it, so that no scale and no value read back overflows.</summary>
    public const float Limit = 1.2676506e30f;

    /// <summary>2^-100: what shares a scale and lies below it altogether is stored as zeros.</summary>
    public const float Negligible = 7.888609e-31f;

    /// <summary>Finds the first value that cannot be packed: not a number, infinite, or too large.</summary>
    /// <returns>Its index; −1 when all can be.</returns>
    public static long FindUnusable(float* values, long count)
    {
        long i = 0;
        Vector512<float> limit = Vector512.Create(Limit);
        while (i + Vector512<float>.Count <= count && Vector512.LessThanAll(Vector512.Abs(Vector512.Load(values + i)), limit))
        {
            i += Vector512<float>.Count;
        }

        while (i < count && MathF.Abs(values[i]) < Limit)
        {
            i++;
        }

        return i == count ? -1 : i;
    }

    /// <summary>The largest magnitude among some values.</summary>
    public static float LargestMagnitude(float* values, int count)
    {
        Vector512<float> largest = Vector512<float>.Zero;
        int i = 0;
        for (; i + Vector512<float>.Count <= count; i += Vector512<float>.Count)
        {
            largest = Vector512.MaxNative(largest, Vector512.Abs(Vector512.Load(values + i)));
        }

        float result = 0;
        for (int lane = 0; lane < Vector512<float>.Count; lane++)
        {
            result = MathF.Max(result, largest[lane]);
        }

        for (; i < count; i++)
        {
            result = MathF.Max(result, MathF.Abs(values[i]));
        }

        return result;
    }
}
