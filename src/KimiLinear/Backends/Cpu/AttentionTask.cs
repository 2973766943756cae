using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Latent attention of the new tokens of one sequence, for some of the heads.</summary>
internal unsafe struct AttentionTask<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public KimiLinearConfig Config;
    public HostMatrix KeyValueUp; // [H·(Nope + V), R]
    public HostCache Cache;
    public int[] PageTable;
    public int LatentLayer;
    public int CachedTokens; // S, the new tokens not included
    public int TokenCount;   // T
    public float* Queries;   // [T, QueryStride], all heads' queries at the front of each row
    public long QueryStride;
    public float* Output; // [T, H·V]
    public int FirstHead;
    public int HeadCount;
    public ScratchBuffer Scratch;
    public ScratchBuffer Panel;
    public ScratchBuffer PageScratch;

    public readonly int PageCount => CacheLayout.PagesFor(CachedTokens + TokenCount);

    public readonly long OutputStride => (long)Config.LatentHeadCount * Config.LatentValueDim;

    /// <summary>First row of a head's keys in the up-projection; its values follow.</summary>
    public readonly int KeyRow(int head) => head * (Config.QkNopeHeadDim + Config.LatentValueDim);

    /// <summary>The first rows of a page as float32, valid until the next call.</summary>
    public readonly float* Rows(int index, int rowCount) => LatentPage<TSimd, TVector>.Widen(
        Cache.Layout, Cache.Page(PageTable[index], LatentLayer), rowCount, PageScratch);

    /// <summary>How many rows of a page a token may see; below 1 for none.</summary>
    public readonly int VisibleRows(int token, int pageIndex) =>
        Math.Min(CacheLayout.PageTokens, CachedTokens + token + 1 - (pageIndex * CacheLayout.PageTokens));

    /// <summary>
    /// Takes one page's scores into a running softmax: rescales what was gathered so far and adds this page's values.
    /// </summary>
    public static void Gather(
        float* scores, // [rowCount], overwritten by the weights
        int rowCount,
        float scale,
        float* values, // [rowCount, stride], the first width values of each row
        long valueStride,
        ref float max,
        ref float sum,
        float* gathered, // [width]
        int width)
    {
        float newMax = MathF.Max(max, VectorKernel<TSimd, TVector>.Max(scores, rowCount) * scale);
        float correction = MathF.Exp(max - newMax);
        sum = (sum * correction) + VectorKernel<TSimd, TVector>.ExpSum(scores, scale, newMax, rowCount);
        VectorKernel<TSimd, TVector>.WeightedSum(scores, values, valueStride, rowCount, correction, gathered, width);
        max = newMax;
    }
}
