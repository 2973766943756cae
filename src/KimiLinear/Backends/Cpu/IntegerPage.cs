using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The latent rows of one page of one layer as integers.</summary>
internal readonly unsafe struct IntegerPage<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private IntegerPage(short* rows, float* latentScales, float* sharedScales)
    {
        Rows = rows;
        LatentScales = latentScales;
        SharedScales = sharedScales;
    }

    public short* Rows { get; } // [PageTokens, IntegerRowLength]

    public float* LatentScales { get; } // [PageTokens]

    public float* SharedScales { get; } // [PageTokens]

    /// <summary>Float32 values of scratch that a page needs.</summary>
    public static long ScratchLength(CacheLayout layout) =>
        CacheLayout.PageTokens * ((layout.IntegerRowLength / 2L) + 2);

    /// <summary>The first rows of a page: as they are stored, or rounded into scratch.</summary>
    public static IntegerPage<TSimd, TVector> Of(
        CacheLayout layout, byte* page, int rowCount, float* scratch, ScratchBuffer widened)
    {
        if (layout.Precision == LatentPrecision.Int16)
        {
            return new IntegerPage<TSimd, TVector>(
                LatentRows.Integers(layout, page), LatentRows.LatentScales(layout, page), LatentRows.SharedScales(layout, page));
        }

        float* values = LatentPage<TSimd, TVector>.Widen(layout, page, rowCount, widened);
        float* latentScales = scratch + (CacheLayout.PageTokens * (layout.IntegerRowLength / 2L));
        IntegerPage<TSimd, TVector> integers = new(
            (short*)scratch, latentScales, latentScales + CacheLayout.PageTokens);
        for (int row = 0; row < rowCount; row++)
        {
            short* target = integers.Rows + ((long)row * layout.IntegerRowLength);
            float* source = values + ((long)row * layout.RowLength);
            integers.LatentScales[row] = Int16Kernel<TSimd, TVector>.Quantise(
                source, layout.Rank, LatentRows.LargestInteger, target, layout.IntegerRank);
            integers.SharedScales[row] = Int16Kernel<TSimd, TVector>.Quantise(
                source + layout.Rank,
                layout.SharedLength,
                LatentRows.LargestInteger,
                target + layout.IntegerRank,
                layout.IntegerSharedLength);
        }

        return integers;
    }
}
