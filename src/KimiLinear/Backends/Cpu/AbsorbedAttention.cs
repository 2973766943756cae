namespace KimiLinear.Backends;

/// <summary>Latent attention with the up-projections absorbed: all heads read the same cached rows, page by page.</summary>
internal static unsafe class AbsorbedAttention<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Query rows (heads × tokens) worked on together, which bounds the scratch.
    private const int MaxQueryRows = 256;

    public static void Run(in AttentionTask<TSimd, TVector> task)
    {
        int tokensPerPass = Math.Max(1, MaxQueryRows / task.HeadCount);
        for (int token = 0; token < task.TokenCount; token += tokensPerPass)
        {
            RunTokens(task, token, Math.Min(tokensPerPass, task.TokenCount - token));
        }
    }

    private static void RunTokens(in AttentionTask<TSimd, TVector> task, int firstToken, int tokenCount)
    {
        int rank = task.Config.LatentRank;
        int rowLength = task.Config.LatentCacheDim;
        int queryRows = task.HeadCount * tokenCount;
        float* queries = task.Scratch.Get((long)queryRows * (rowLength + rank + CacheLayout.PageTokens + 2)); // [rows, R + P]
        float* contexts = queries + ((long)queryRows * rowLength);       // [rows, R]
        float* scores = contexts + ((long)queryRows * rank);             // [rows, PageTokens]
        float* maxima = scores + ((long)queryRows * CacheLayout.PageTokens); // [rows]
        float* sums = maxima + queryRows;                                // [rows]
        new Span<float>(contexts, queryRows * rank).Clear();
        new Span<float>(maxima, queryRows).Fill(float.NegativeInfinity);
        new Span<float>(sums, queryRows).Clear();
        AbsorbKeys(task, firstToken, tokenCount, queries);

        float scale = 1 / MathF.Sqrt(task.Config.QkHeadDim);
        int lastToken = firstToken + tokenCount - 1;
        for (int page = 0; page < task.PageCount; page++)
        {
            int visible = task.VisibleRows(lastToken, page);
            if (visible < 1)
            {
                break;
            }

            float* rows = task.Rows(page, visible);
            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(queries, rowLength, queryRows),
                rows,
                visible,
                rowLength,
                new MatMulOutput(scores, CacheLayout.PageTokens));
            for (int i = 0; i < queryRows; i++)
            {
                int seen = task.VisibleRows(firstToken + (i % tokenCount), page);
                if (seen > 0)
                {
                    AttentionTask<TSimd, TVector>.Gather(
                        scores + (i * CacheLayout.PageTokens),
                        seen,
                        scale,
                        rows,
                        rowLength,
                        ref maxima[i],
                        ref sums[i],
                        contexts + ((long)i * rank),
                        rank);
                }
            }
        }

        ProjectValues(task, firstToken, tokenCount, contexts, sums);
    }

    // q̂ = [K_hᵀ q_nope ‖ q_shared] for each head and token
    private static void AbsorbKeys(in AttentionTask<TSimd, TVector> task, int firstToken, int tokenCount, float* queries)
    {
        int rank = task.Config.LatentRank;
        int rope = task.Config.QkRopeHeadDim;
        int nope = task.Config.QkNopeHeadDim;
        int rowLength = task.Config.LatentCacheDim;
        for (int h = 0; h < task.HeadCount; h++)
        {
            int head = task.FirstHead + h;
            float* source = task.Queries + (firstToken * task.QueryStride) + (head * task.Config.QkHeadDim);
            float* destination = queries + ((long)h * tokenCount * rowLength);
            for (int t = 0; t < tokenCount; t++)
            {
                float* row = destination + ((long)t * rowLength);
                new Span<float>(row, rank).Clear();
                new ReadOnlySpan<float>(source + (t * task.QueryStride) + nope, rope).CopyTo(new Span<float>(row + rank, rope));
            }

            MatMulKernel<TSimd, TVector>.AccumulateRows(
                new MatMulInput(source, task.QueryStride, tokenCount),
                task.KeyValueUp,
                task.KeyRow(head),
                nope,
                task.Panel,
                destination,
                rowLength,
                h + 1 < task.HeadCount ? task.Config.LatentValueDim : 0);
        }
    }

    // out = V_h (context / sum) for each head and token
    private static void ProjectValues(
        in AttentionTask<TSimd, TVector> task, int firstToken, int tokenCount, float* contexts, float* sums)
    {
        int rank = task.Config.LatentRank;
        int valueDim = task.Config.LatentValueDim;
        for (int h = 0; h < task.HeadCount; h++)
        {
            int head = task.FirstHead + h;
            float* context = contexts + ((long)h * tokenCount * rank);
            for (int t = 0; t < tokenCount; t++)
            {
                VectorKernel<TSimd, TVector>.Scale(context + ((long)t * rank), 1 / sums[(h * tokenCount) + t], rank);
            }

            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(context, rank, tokenCount),
                task.KeyValueUp,
                task.KeyRow(head) + task.Config.QkNopeHeadDim,
                valueDim,
                task.Panel,
                new MatMulOutput(task.Output + (firstToken * task.OutputStride) + (head * valueDim), task.OutputStride),
                h + 1 < task.HeadCount ? task.Config.QkNopeHeadDim : 0);
        }
    }
}
