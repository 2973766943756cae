namespace KimiLinear.Backends;

/// <summary>Latent attention with keys and values expanded page by page, for many new tokens at once.</summary>
internal static unsafe class ExpandedAttention<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Queries whose scores against one page are in scratch at a time.
    private const int BlockTokens = 64;

    public static void Run(in AttentionTask<TSimd, TVector> task)
    {
        int keyDim = task.Config.QkHeadDim;
        int valueDim = task.Config.LatentValueDim;
        long length = (CacheLayout.PageTokens * (long)(keyDim + valueDim + BlockTokens)) + (2L * task.TokenCount);
        float* keys = task.Scratch.Get(length);                              // [PageTokens, Nope + P]
        float* values = keys + (CacheLayout.PageTokens * (long)keyDim);      // [PageTokens, V]
        float* scores = values + (CacheLayout.PageTokens * (long)valueDim);  // [BlockTokens, PageTokens]
        float* maxima = scores + (BlockTokens * CacheLayout.PageTokens);     // [T]
        float* sums = maxima + task.TokenCount;                              // [T]
        for (int head = task.FirstHead; head < task.FirstHead + task.HeadCount; head++)
        {
            float* output = task.Output + (head * valueDim);
            new Span<float>(maxima, task.TokenCount).Fill(float.NegativeInfinity);
            new Span<float>(sums, task.TokenCount).Clear();
            for (int t = 0; t < task.TokenCount; t++)
            {
                new Span<float>(output + (t * task.OutputStride), valueDim).Clear();
            }

            for (int page = 0; page < task.PageCount; page++)
            {
                ExpandPage(task, head, page, keys, values);
                AttendPage(task, head, page, keys, values, scores, maxima, sums);
            }

            for (int t = 0; t < task.TokenCount; t++)
            {
                VectorKernel<TSimd, TVector>.Scale(output + (t * task.OutputStride), 1 / sums[t], valueDim);
            }
        }
    }

    private static void ExpandPage(in AttentionTask<TSimd, TVector> task, int head, int page, float* keys, float* values)
    {
        int rank = task.Config.LatentRank;
        int nope = task.Config.QkNopeHeadDim;
        int rope = task.Config.QkRopeHeadDim;
        int keyDim = task.Config.QkHeadDim;
        int valueDim = task.Config.LatentValueDim;
        int rowLength = task.Config.LatentCacheDim;
        int count = task.VisibleRows(task.TokenCount - 1, page);
        float* rows = task.Rows(page, count);
        MatMulInput latents = new(rows, rowLength, count);
        MatMulKernel<TSimd, TVector>.Multiply(
            latents, task.KeyValueUp, task.KeyRow(head), nope, task.Panel, new MatMulOutput(keys, keyDim));
        MatMulKernel<TSimd, TVector>.Multiply(
            latents, task.KeyValueUp, task.KeyRow(head) + nope, valueDim, task.Panel, new MatMulOutput(values, valueDim));
        for (int s = 0; s < count; s++)
        {
            float* shared = rows + ((long)s * rowLength) + rank;
            new ReadOnlySpan<float>(shared, rope).CopyTo(new Span<float>(keys + ((long)s * keyDim) + nope, rope));
        }
    }

    private static void AttendPage(
        in AttentionTask<TSimd, TVector> task,
        int head,
        int page,
        float* keys,
        float* values,
        float* scores,
        float* maxima,
        float* sums)
    {
        int keyDim = task.Config.QkHeadDim;
        int valueDim = task.Config.LatentValueDim;
        float scale = 1 / MathF.Sqrt(keyDim);

        // Tokens before this one come too early to see the page.
        int first = Math.Max(0, (page * CacheLayout.PageTokens) - task.CachedTokens);
        for (int block = first; block < task.TokenCount; block += BlockTokens)
        {
            int count = Math.Min(BlockTokens, task.TokenCount - block);
            float* queries = task.Queries + (block * task.QueryStride) + (head * keyDim);
            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(queries, task.QueryStride, count),
                keys,
                task.VisibleRows(block + count - 1, page),
                keyDim,
                new MatMulOutput(scores, CacheLayout.PageTokens));
            for (int t = 0; t < count; t++)
            {
                float* output = task.Output + ((block + t) * task.OutputStride) + (head * valueDim);
                AttentionTask<TSimd, TVector>.Gather(
                    scores + (t * CacheLayout.PageTokens),
                    task.VisibleRows(block + t, page),
                    scale,
                    values,
                    valueDim,
                    ref maxima[block + t],
                    ref sums[block + t],
                    output,
                    valueDim);
            }
        }
    }
}
