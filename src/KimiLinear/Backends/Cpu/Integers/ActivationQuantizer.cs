using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>Rounds activations to integers, block by block.</summary>
/// <remarks>
/// The scale of a block maps its largest magnitude to the largest code, and a value becomes the nearest code, ties to even. Written
/// in 256-bit operations, which the runtime splits on narrower machines: the codes are the same everywhere. A block with a value
/// that is no number, or infinite, gets a scale that is none, so that the result is none either.
/// </remarks>
internal static unsafe class ActivationQuantizer
{
    /// <summary>The largest code of <see cref="QuantizedForm.Bytes"/>.</summary>
    public const int MaxByte = 127;

    /// <summary>The largest code of the 16-bit forms: 32 products with an 8-bit weight times a scale still fit 31 bits.</summary>
    public const int MaxShort = 16383;

    /// <summary>The largest code of <see cref="QuantizedForm.RowShorts"/>: 32 products with an 8-bit weight fit 31 bits.</summary>
    public const int MaxRowShort = 32767;

    // Below this, the reciprocal of the scale would overflow; such a block is nothing beside any other.
    private const float Negligible = 1e-30f;

    /// <summary>Quantises one row; the largest magnitude of a block becomes the largest code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Quantize(float* source, int columnCount, QuantizedForm form, int maxCode, byte* codes)
    {
        float* scales = (float*)(codes + (2L * columnCount));
        int blockCount = columnCount / QuantizedRows.BlockColumns;
        float* offsets = scales + blockCount;
        for (int block = 0; block < blockCount; block++)
        {
            float* x = source + (block * QuantizedRows.BlockColumns);
            Vector256<float> x0 = Vector256.Load(x);
            Vector256<float> x1 = Vector256.Load(x + 8);
            Vector256<float> x2 = Vector256.Load(x + 16);
            Vector256<float> x3 = Vector256.Load(x + 24);
            float max = MaxMagnitude(x0, x1, x2, x3);
            float inverse = max < Negligible ? 0 : maxCode / max;
            float scale = max < Negligible ? 0 : float.IsFinite(max) ? max / maxCode : float.NaN;
            Vector256<float> factor = Vector256.Create(inverse);
            Vector256<int> q0 = Vector256.ConvertToInt32Native(Vector256.Round(x0 * factor));
            Vector256<int> q1 = Vector256.ConvertToInt32Native(Vector256.Round(x1 * factor));
            Vector256<int> q2 = Vector256.ConvertToInt32Native(Vector256.Round(x2 * factor));
            Vector256<int> q3 = Vector256.ConvertToInt32Native(Vector256.Round(x3 * factor));
            scales[block] = scale;
            int sum = Vector256.Sum(q0 + q1 + q2 + q3);
            offsets[block] = -scale * sum;
            Vector256<short> lower = Vector256.Narrow(q0, q1);
            Vector256<short> upper = Vector256.Narrow(q2, q3);
            int column = block * QuantizedRows.BlockColumns;
            switch (form)
            {
                case QuantizedForm.Bytes:
                    Vector256.Narrow(lower, upper).Store((sbyte*)codes + column);
                    *QuantizedRows.NegativeSum(scales + block, blockCount) = -sum;
                    ((int*)(codes + columnCount))[blockCount + block] = -VnniPanel.CodeBias * sum;
                    break;
                case QuantizedForm.BytePairs:
                    Vector256<short> lowerHigh = (lower + Vector256.Create((short)128)) >> 8;
                    Vector256<short> upperHigh = (upper + Vector256.Create((short)128)) >> 8;
                    Vector256.Narrow(lowerHigh, upperHigh).Store((sbyte*)codes + column);
                    Vector256.Narrow(lower - (lowerHigh << 8), upper - (upperHigh << 8))
                        .Store((sbyte*)codes + columnCount + column);
                    break;
                case QuantizedForm.TileShorts:
                    SwapMiddle(lower).Store((short*)codes + column);
                    SwapMiddle(upper).Store((short*)codes + column + 16);
                    break;
                default:
                    EvenFirst(lower).Store((short*)codes + column);
                    EvenFirst(upper).Store((short*)codes + column + 16);
                    break;
            }
        }
    }

    /// <summary>Quantises one row to <see cref="QuantizedForm.RowShorts"/>; the largest magnitude of all becomes the largest code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void QuantizeRow(float* source, int columnCount, int maxCode, byte* codes)
    {
        Vector256<float> largest = Vector256<float>.Zero;
        for (int column = 0; column < columnCount; column += 16)
        {
            largest = Vector256.Max(
                largest,
                Vector256.Max(
                    Vector256.Abs(Vector256.Load(source + column)), Vector256.Abs(Vector256.Load(source + column + 8))));
        }

        float max = Simd256.MaxAcross(largest);
        Vector256<float> factor = Vector256.Create(max < Negligible ? 0 : maxCode / max);
        for (int column = 0; column < columnCount; column += 16)
        {
            Vector256<int> q0 = Vector256.ConvertToInt32Native(Vector256.Round(Vector256.Load(source + column) * factor));
            Vector256<int> q1 = Vector256.ConvertToInt32Native(Vector256.Round(Vector256.Load(source + column + 8) * factor));
            SwapMiddle(Vector256.Narrow(q0, q1)).Store((short*)codes + column);
        }

        int blockCount = columnCount / QuantizedRows.BlockColumns;
        float* scales = (float*)(codes + (2L * columnCount));
        new Span<float>(scales, blockCount).Fill(1);
        scales[blockCount] = max < Negligible ? 0 : max / maxCode;
    }

    /// <summary>Turns a row of <see cref="QuantizedForm.Bytes"/> into <see cref="QuantizedForm.EvenOddShorts"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Widen(byte* bytes, int columnCount, byte* shorts)
    {
        for (int column = 0; column < columnCount; column += 16)
        {
            Vector128<short> pairs = Vector128.Load((short*)(bytes + column));
            ((pairs << 8) >> 8).Store((short*)shorts + column);
            (pairs >> 8).Store((short*)shorts + column + 8);
        }

        int statistics = 2 * sizeof(float) * (columnCount / QuantizedRows.BlockColumns);
        Buffer.MemoryCopy(bytes + (2L * columnCount), shorts + (2L * columnCount), statistics, statistics);
    }

    // NaN comes through: the largest of anything and NaN is NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float MaxMagnitude(Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3)
    {
        Vector256<float> max = Vector256.Max(
            Vector256.Max(Vector256.Abs(x0), Vector256.Abs(x1)), Vector256.Max(Vector256.Abs(x2), Vector256.Abs(x3)));
        return Simd256.MaxAcross(max);
    }

    // Columns 0, 2, 1, 3 of every four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> SwapMiddle(Vector256<short> values) => Vector256.Shuffle(
        values, Vector256.Create((short)0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));

    // Columns 0, 2, 4, … of 16, then 1, 3, 5, …
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> EvenFirst(Vector256<short> values)
    {
        Vector256<short> inHalves = Vector256.Shuffle(
            values, Vector256.Create((short)0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15));
        return Vector256.Shuffle(inHalves.AsInt64(), Vector256.Create(0L, 2, 1, 3)).AsInt16();
    }
}
