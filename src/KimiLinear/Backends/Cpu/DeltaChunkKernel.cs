namespace KimiLinear.Backends;

/// <summary>The gated delta rule for one head over one chunk of tokens, by matrix products instead of token by token.</summary>
/// <remarks>
/// With G the decays summed up within the chunk: D_i = β_i·(v_i − S·(e^G_i ⊙ k_i) − Σ_{j&lt;i} M_ij·D_j),
/// o_i = S·(e^G_i ⊙ q_i) + Σ_{j≤i} P_ij·D_j and S ← S·diag(e^G_C) + Σ_j D_j·(e^(G_C − G_j) ⊙ k_j)ᵀ, where
/// M_ij = Σ_c k_i k_j e^(G_i − G_j) and P_ij the same with q_i. The decays are unbounded, so e^−G alone would overflow: every
/// exponent here is a difference that is never positive. Blocks of rows use the sum at their start as a common reference, and
/// the diagonal blocks take each pair's own exponent (docs/numerics.md; arXiv:2510.26692, section 3).
/// </remarks>
internal static unsafe class DeltaChunkKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The most tokens one call takes (C).</summary>
    public const int ChunkTokens = 64;

    // Rows whose exponents share a reference.
    private const int BlockTokens = 16;

    /// <summary>Values of scratch that <see cref="Run"/> needs.</summary>
    public static long ScratchLength(int headDim) => (4L * ChunkTokens * headDim) + headDim + (2L * ChunkTokens * ChunkTokens);

    public static void Run(
        float* q,        // [T, K] L2-normalised, scaled by K^-1/2
        float* k,        // [T, K] L2-normalised
        float* v,        // [T, V]
        float* logDecay, // [T, K] g, never positive; holds G afterwards
        float* beta,     // [T]
        int tokenCount,  // at most C
        int headDim,     // K = V
        float* state,    // [V, K] updated in place
        float* scratch,
        float* output,   // [T, stride], the first V values of each row
        long outputStride)
    {
        long length = (long)ChunkTokens * headDim;
        float* left = scratch;                           // [C, K]
        float* right = left + length;                    // [C, K]
        float* corrections = right + length;             // [C, V] D
        float* transposed = corrections + length;        // [V, C] Dᵀ
        float* zeros = transposed + length;              // [K]
        float* keyKey = zeros + headDim;                 // [C, C] M
        float* queryKey = keyKey + (ChunkTokens * ChunkTokens); // [C, C] P
        new Span<float>(zeros, headDim).Clear();
        for (int t = 1; t < tokenCount; t++)
        {
            VectorKernel<TSimd, TVector>.Add(Row(logDecay, t - 1, headDim), Row(logDecay, t, headDim), headDim);
        }

        FillPairs(k, k, logDecay, tokenCount, headDim, left, right, keyKey);
        FillPairs(q, k, logDecay, tokenCount, headDim, left, right, queryKey);

        // What the old state predicts for each key, and what each query reads from it.
        Decay(k, logDecay, zeros, tokenCount, headDim, left);
        MatMulKernel<TSimd, TVector>.Multiply(
            new MatMulInput(left, headDim, tokenCount), state, headDim, headDim, new MatMulOutput(corrections, headDim));
        Decay(q, logDecay, zeros, tokenCount, headDim, left);
        MatMulKernel<TSimd, TVector>.Multiply(
            new MatMulInput(left, headDim, tokenCount), state, headDim, headDim, new MatMulOutput(output, outputStride));

        Substitute(v, keyKey, beta, tokenCount, headDim, corrections);
        for (int t = 0; t < tokenCount; t++)
        {
            VectorKernel<TSimd, TVector>.WeightedSum(
                queryKey + (t * ChunkTokens), corrections, headDim, t + 1, 1, output + (t * outputStride), headDim);
        }

        UpdateState(k, logDecay, corrections, tokenCount, headDim, left, zeros, transposed, state);
    }

    private static float* Row(float* matrix, int row, int width) => matrix + ((long)row * width);

    // y_t = x_t ⊙ e^(G_t − reference)
    private static void Decay(float* x, float* sums, float* reference, int count, int headDim, float* y)
    {
        for (int t = 0; t < count; t++)
        {
            VectorKernel<TSimd, TVector>.MultiplyExpDifference(
                Row(x, t, headDim), Row(sums, t, headDim), reference, Row(y, t, headDim), headDim);
        }
    }

    // pairs[i, j] = Σ_c rows_i k_j e^(G_i − G_j) for j ≤ i
    private static void FillPairs(
        float* rows, float* k, float* sums, int tokenCount, int headDim, float* left, float* right, float* pairs)
    {
        for (int block = 0; block < tokenCount; block += BlockTokens)
        {
            int count = Math.Min(BlockTokens, tokenCount - block);
            float* reference = Row(sums, block, headDim);
            Decay(Row(rows, block, headDim), reference, reference, count, headDim, left);
            for (int j = 0; j < block; j++)
            {
                VectorKernel<TSimd, TVector>.MultiplyExpDifference(
                    Row(k, j, headDim), reference, Row(sums, j, headDim), Row(right, j, headDim), headDim);
            }

            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(left, headDim, count),
                right,
                block,
                headDim,
                new MatMulOutput(pairs + ((long)block * ChunkTokens), ChunkTokens));
            for (int i = block; i < block + count; i++)
            {
                for (int j = block; j <= i; j++)
                {
                    pairs[((long)i * ChunkTokens) + j] = VectorKernel<TSimd, TVector>.DotExpDifference(
                        Row(rows, i, headDim), Row(k, j, headDim), Row(sums, i, headDim), Row(sums, j, headDim), headDim);
                }
            }
        }
    }

    // Forward substitution: the corrections hold the predictions at first.
    private static void Substitute(float* v, float* keyKey, float* beta, int tokenCount, int headDim, float* corrections)
    {
        for (int t = 0; t < tokenCount; t++)
        {
            float* correction = Row(corrections, t, headDim);
            VectorKernel<TSimd, TVector>.WeightedSum(keyKey + (t * ChunkTokens), corrections, headDim, t, 1, correction, headDim);
            VectorKernel<TSimd, TVector>.Scale(correction, -beta[t], headDim);
            VectorKernel<TSimd, TVector>.MultiplyAdd(Row(v, t, headDim), beta[t], correction, headDim);
        }
    }

    // S ← S·diag(e^G_C) + Σ_j D_j (e^(G_C − G_j) ⊙ k_j)ᵀ
    private static void UpdateState(
        float* k,
        float* sums,
        float* corrections,
        int tokenCount,
        int headDim,
        float* decayedKeys, // [C, K]
        float* zeros,
        float* transposed,  // [V, C]
        float* state)
    {
        float* last = Row(sums, tokenCount - 1, headDim);
        for (int j = 0; j < tokenCount; j++)
        {
            VectorKernel<TSimd, TVector>.MultiplyExpDifference(
                Row(k, j, headDim), last, Row(sums, j, headDim), Row(decayedKeys, j, headDim), headDim);
            for (int row = 0; row < headDim; row++)
            {
                transposed[((long)row * ChunkTokens) + j] = corrections[((long)j * headDim) + row];
            }
        }

        for (int row = 0; row < headDim; row++)
        {
            float* stateRow = Row(state, row, headDim);
            VectorKernel<TSimd, TVector>.MultiplyExpDifference(stateRow, last, zeros, stateRow, headDim);
            VectorKernel<TSimd, TVector>.WeightedSum(
                transposed + ((long)row * ChunkTokens), decayedKeys, headDim, tokenCount, 1, stateRow, headDim);
        }
    }
}
