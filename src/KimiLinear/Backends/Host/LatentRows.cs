using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Writes and reads the latent rows of one page of one layer, whatever their precision.</summary>
internal static unsafe class LatentRows
{
    /// <summary>The largest integer of a row: half of what 16 bits hold, so that sums of 32 bits have room for products.</summary>
    public const int LargestInteger = 16383;

    /// <summary>Stores a row, rounded to the precision of the layout.</summary>
    public static void Write(CacheLayout layout, byte* page, int row, ReadOnlySpan<float> values) // [R + P]
    {
        switch (layout.Precision)
        {
            case LatentPrecision.Float32:
                values.CopyTo(new Span<float>((float*)page + ((long)row * layout.RowLength), layout.RowLength));
                break;
            case LatentPrecision.BFloat16:
                ushort* halves = (ushort*)page + ((long)row * layout.RowLength);
                for (int i = 0; i < values.Length; i++)
                {
                    halves[i] = RoundToBFloat16(values[i]);
                }

                break;
            default:
                short* integers = Integers(layout, page) + ((long)row * layout.IntegerRowLength);
                LatentScales(layout, page)[row] = Quantise(
                    values[..layout.Rank], new Span<short>(integers, layout.IntegerRank));
                SharedScales(layout, page)[row] = Quantise(
                    values[layout.Rank..], new Span<short>(integers + layout.IntegerRank, layout.IntegerSharedLength));
                break;
        }
    }

    /// <summary>Reads a row back.</summary>
    public static void Read(CacheLayout layout, byte* page, int row, Span<float> values) // [R + P]
    {
        switch (layout.Precision)
        {
            case LatentPrecision.Float32:
                new ReadOnlySpan<float>((float*)page + ((long)row * layout.RowLength), layout.RowLength).CopyTo(values);
                break;
            case LatentPrecision.BFloat16:
                ushort* halves = (ushort*)page + ((long)row * layout.RowLength);
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }

                break;
            default:
                short* integers = Integers(layout, page) + ((long)row * layout.IntegerRowLength);
                for (int i = 0; i < layout.Rank; i++)
                {
                    values[i] = integers[i] * LatentScales(layout, page)[row];
                }

                for (int i = 0; i < layout.SharedLength; i++)
                {
                    values[layout.Rank + i] = integers[layout.IntegerRank + i] * SharedScales(layout, page)[row];
                }

                break;
        }
    }

    /// <summary>Rows of integers, the shared key behind the latent part.</summary>
    public static short* Integers(CacheLayout layout, byte* page) => (short*)page; // [PageTokens, IntegerRowLength]

    /// <summary>What the integers of each row's latent part are multiples of.</summary>
    public static float* LatentScales(CacheLayout layout, byte* page) => // [PageTokens]
        (float*)(Integers(layout, page) + ((long)CacheLayout.PageTokens * layout.IntegerRowLength));

    /// <summary>What the integers of each row's shared key are multiples of.</summary>
    public static float* SharedScales(CacheLayout layout, byte* page) => // [PageTokens]
        LatentScales(layout, page) + CacheLayout.PageTokens;

    // Returns the scale; what the destination has more than the source becomes zero.
    private static float Quantise(ReadOnlySpan<float> values, Span<short> integers)
    {
        float largest = 0;
        foreach (float value in values)
        {
            largest = MathF.Max(largest, MathF.Abs(value));
        }

        // No number, and what is too small to divide by, becomes zero; the scale tells the first.
        float factor = float.IsFinite(LargestInteger / largest) ? LargestInteger / largest : 0;
        for (int i = 0; i < values.Length; i++)
        {
            integers[i] = (short)MathF.Round(values[i] * factor);
        }

        integers[values.Length..].Clear();
        return largest / LargestInteger;
    }

    // To the nearest, ties to even; what is no number stays none.
    private static ushort RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
