using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Backends;

/// <summary>The gated delta rule for one head over a run of tokens, token by token.</summary>
/// <remarks>
/// With S̃ = S·diag(α) the step is δ = β·(v − S̃·k), S ← S̃ + δ·kᵀ, o = S·q. Since S̃·k = S·(α ⊙ k) and o = S·(α ⊙ q) + δ·(k·q),
/// one pass over the old state gives both, and a second writes the new one (arXiv:2510.26692, section 3).
/// </remarks>
internal static unsafe class DeltaKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Rows of the state that share each load of keys and decays.
    private const int RowTile = 4;

    /// <summary>Values of scratch that <see cref="Run"/> needs.</summary>
    public static long ScratchLength(int tokenCount, int headDim) => (2L * tokenCount * headDim) + tokenCount;

    public static void Run(
        float* q,       // [T, K] L2-normalised, scaled by K^-1/2
        float* k,       // [T, K] L2-normalised
        float* v,       // [T, V]
        float* decay,   // [T, K] α = exp(g), from 0 to 1
        float* beta,    // [T]
        int tokenCount,
        int headDim,    // K = V
        float* state,   // [V, K] updated in place
        float* scratch,
        float* output,  // [T, stride], the first V values of each row
        long outputStride)
    {
        float* decayedKey = scratch;                                          // [T, K] α ⊙ k
        float* decayedQuery = decayedKey + ((long)tokenCount * headDim);      // [T, K] α ⊙ q
        float* keyDotQuery = decayedQuery + ((long)tokenCount * headDim);     // [T]
        for (int t = 0; t < tokenCount; t++)
        {
            long offset = (long)t * headDim;
            VectorKernel<TSimd, TVector>.Multiply(decay + offset, k + offset, decayedKey + offset, headDim);
            VectorKernel<TSimd, TVector>.Multiply(decay + offset, q + offset, decayedQuery + offset, headDim);
            keyDotQuery[t] = DotKernel<TSimd, TVector>.Dot<Float32Weights>(k + offset, (byte*)(q + offset), headDim);
        }

        int row = 0;
        for (; row + RowTile <= headDim && headDim % TSimd.Width == 0; row += RowTile)
        {
            PrefetchAhead(state, row, headDim);
            for (int t = 0; t < tokenCount; t++)
            {
                long offset = (long)t * headDim;
                StepRows(
                    decayedKey + offset,
                    decayedQuery + offset,
                    k + offset,
                    decay + offset,
                    v + offset + row,
                    beta[t],
                    keyDotQuery[t],
                    headDim,
                    state + ((long)row * headDim),
                    output + (t * outputStride) + row);
            }
        }

        for (; row < headDim; row++)
        {
            for (int t = 0; t < tokenCount; t++)
            {
                long offset = (long)t * headDim;
                output[(t * outputStride) + row] = StepRow(
                    decayedKey + offset,
                    decayedQuery + offset,
                    k + offset,
                    decay + offset,
                    v[offset + row],
                    beta[t],
                    keyDotQuery[t],
                    headDim,
                    state + ((long)row * headDim));
            }
        }
    }

    // As many rows as a tile has, a page on; what lies behind the state is another worker's.
    private static void PrefetchAhead(float* state, int row, int headDim)
    {
        int bytes = RowTile * headDim * sizeof(float);
        long offset = ((long)row * headDim * sizeof(float)) + CacheLine.AheadBytes;
        if (offset + bytes <= (long)headDim * headDim * sizeof(float))
        {
            CacheLine.PrefetchRange((byte*)state + offset, bytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StepRows(
        float* decayedKey,
        float* decayedQuery,
        float* k,
        float* decay,
        float* v, // [4]
        float beta,
        float keyDotQuery,
        int headDim,
        float* state,  // [4, K]
        float* output) // [4]
    {
        float* s0 = state;
        float* s1 = s0 + headDim;
        float* s2 = s1 + headDim;
        float* s3 = s2 + headDim;
        TVector p0 = TSimd.Zero, p1 = TSimd.Zero, p2 = TSimd.Zero, p3 = TSimd.Zero;
        TVector r0 = TSimd.Zero, r1 = TSimd.Zero, r2 = TSimd.Zero, r3 = TSimd.Zero;
        for (int i = 0; i < headDim; i += TSimd.Width)
        {
            TVector key = TSimd.Load(decayedKey + i);
            TVector query = TSimd.Load(decayedQuery + i);
            TVector a = TSimd.Load(s0 + i);
            p0 = TSimd.MultiplyAdd(a, key, p0);
            r0 = TSimd.MultiplyAdd(a, query, r0);
            a = TSimd.Load(s1 + i);
            p1 = TSimd.MultiplyAdd(a, key, p1);
            r1 = TSimd.MultiplyAdd(a, query, r1);
            a = TSimd.Load(s2 + i);
            p2 = TSimd.MultiplyAdd(a, key, p2);
            r2 = TSimd.MultiplyAdd(a, query, r2);
            a = TSimd.Load(s3 + i);
            p3 = TSimd.MultiplyAdd(a, key, p3);
            r3 = TSimd.MultiplyAdd(a, query, r3);
        }

        Vector128<float> d = beta * (Vector128.Load(v) - TSimd.Sum4(p0, p1, p2, p3));
        (TSimd.Sum4(r0, r1, r2, r3) + (d * keyDotQuery)).Store(output);

        TVector b0 = TSimd.Broadcast(d[0]), b1 = TSimd.Broadcast(d[1]), b2 = TSimd.Broadcast(d[2]), b3 = TSimd.Broadcast(d[3]);
        for (int i = 0; i < headDim; i += TSimd.Width)
        {
            TVector alpha = TSimd.Load(decay + i);
            TVector key = TSimd.Load(k + i);
            TSimd.Store(s0 + i, TSimd.MultiplyAdd(b0, key, TSimd.Multiply(alpha, TSimd.Load(s0 + i))));
            TSimd.Store(s1 + i, TSimd.MultiplyAdd(b1, key, TSimd.Multiply(alpha, TSimd.Load(s1 + i))));
            TSimd.Store(s2 + i, TSimd.MultiplyAdd(b2, key, TSimd.Multiply(alpha, TSimd.Load(s2 + i))));
            TSimd.Store(s3 + i, TSimd.MultiplyAdd(b3, key, TSimd.Multiply(alpha, TSimd.Load(s3 + i))));
        }
    }

    // For head sizes that are no multiple of a vector, and what a tile leaves over.
    private static float StepRow(
        float* decayedKey,
        float* decayedQuery,
        float* k,
        float* decay,
        float v,
        float beta,
        float keyDotQuery,
        int headDim,
        float* state) // [K]
    {
        float predicted = DotKernel<TSimd, TVector>.Dot<Float32Weights>(state, (byte*)decayedKey, headDim);
        float read = DotKernel<TSimd, TVector>.Dot<Float32Weights>(state, (byte*)decayedQuery, headDim);
        float correction = beta * (v - predicted);
        VectorKernel<TSimd, TVector>.Multiply(state, decay, state, headDim);
        VectorKernel<TSimd, TVector>.MultiplyAdd(k, correction, state, headDim);
        return read + (correction * keyDotQuery);
    }
}
