using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output)
    {
        AppendJob append = new()
        {
            Backend = this,
            Norm = ((HostBuffer)weights.LatentNorm).Data,
            Batch = batch,
            Cache = (HostCache)cache,
            LatentLayer = latentLayer,
            Projected = ((HostBuffer)projected).Data,
            ProjectionDim = weights.ProjectionDim,
        };
        Run(ref append, (long)batch.TokenCount * cache.Layout.RowLength);

        AttentionJob job = new()
        {
            Backend = this,
            KeyValueUp = (HostMatrix)weights.KeyValueUp,
            Batch = batch,
            Cache = (HostCache)cache,
            LatentLayer = latentLayer,
            Projected = ((HostBuffer)projected).Data,
            ProjectionDim = weights.ProjectionDim,
            Output = ((HostBuffer)output).Data,
        };
        long multiplications = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            int tokens = batch.TokenCountOf(sequence);
            if (!AbsorbsIntegers(tokens, batch.CachedTokens(sequence)))
            {
                long visible = (long)tokens * (batch.CachedTokens(sequence) + tokens);
                multiplications += (visible * Config.LatentHeadCount * cache.Layout.RowLength)
                    + (tokens * weights.KeyValueUp.Shape.ElementCount);
            }
        }

        if (multiplications > 0)
        {
            Run(ref job, multiplications);
        }

        AttendAbsorbed(job);
    }

    /// <summary>Normalises the new tokens' latent rows and writes them to their pages.</summary>
    private struct AppendJob : IParallelJob
    {
        public CpuBackend<TSimd, TVector> Backend;
        public float* Norm; // [R]
        public ForwardBatch Batch;
        public HostCache Cache;
        public int LatentLayer;
        public float* Projected; // [T, H·(Nope + P) + R + P]
        public int ProjectionDim;

        public readonly void Execute(int worker, int workerCount)
        {
            int rank = Backend.Config.LatentRank;
            int rope = Backend.Config.QkRopeHeadDim;
            for (int sequence = 0; sequence < Batch.SequenceCount; sequence++)
            {
                (int start, int end) = WorkSplit.Units(Batch.TokenCountOf(sequence), worker, workerCount);
                for (int t = start; t < end; t++)
                {
                    float* latent = Projected + ((Batch.Offset(sequence) + t + 1L) * ProjectionDim) - rank - rope;
                    int position = Batch.CachedTokens(sequence) + t;
                    byte* page = Cache.Page(Batch.PageTable(sequence)[position / CacheLayout.PageTokens], LatentLayer);
                    // In place: nothing else reads this part of the projection.
                    VectorKernel<TSimd, TVector>.RmsNorm(latent, Norm, Backend.Config.RmsNormEpsilon, latent, rank);
                    LatentRows.Write(
                        Cache.Layout, page, position % CacheLayout.PageTokens, new ReadOnlySpan<float>(latent, rank + rope));
                }
            }
        }
    }

    /// <summary>Every worker attends with its own heads, for all sequences but those that absorb in integers.</summary>
    private struct AttentionJob : IParallelJob
    {
        public CpuBackend<TSimd, TVector> Backend;
        public HostMatrix KeyValueUp; // [H·(Nope + V), R]
        public ForwardBatch Batch;
        public HostCache Cache;
        public int LatentLayer;
        public float* Projected; // [T, H·(Nope + P) + R + P]
        public int ProjectionDim;
        public float* Output; // [T, H·V]

        public readonly void Execute(int worker, int workerCount)
        {
            (int firstHead, int endHead) = WorkSplit.Units(Backend.Config.LatentHeadCount, worker, workerCount);
            if (firstHead == endHead)
            {
                return;
            }

            int outputWidth = Backend.Config.LatentHeadCount * Backend.Config.LatentValueDim;
            for (int sequence = 0; sequence < Batch.SequenceCount; sequence++)
            {
                if (Backend.AbsorbsIntegers(Batch.TokenCountOf(sequence), Batch.CachedTokens(sequence)))
                {
                    continue;
                }

                AttentionTask<TSimd, TVector> task = new()
                {
                    Config = Backend.Config,
                    KeyValueUp = KeyValueUp,
                    Cache = Cache,
                    PageTable = Batch.PageTable(sequence),
                    LatentLayer = LatentLayer,
                    CachedTokens = Batch.CachedTokens(sequence),
                    TokenCount = Batch.TokenCountOf(sequence),
                    Queries = Projected + ((long)Batch.Offset(sequence) * ProjectionDim),
                    QueryStride = ProjectionDim,
                    Output = Output + ((long)Batch.Offset(sequence) * outputWidth),
                    FirstHead = firstHead,
                    HeadCount = endHead - firstHead,
                    Scratch = Backend._workerScratch[worker],
                    Panel = Backend._panels[worker],
                    PageScratch = Backend._attention.Pages[worker],
                };
                if (Backend.PrefersExpanded(task.TokenCount, task.CachedTokens))
                {
                    if (Backend.UsesIntegers)
                    {
                        ExpandedIntegers<TSimd, TVector>.Run(task);
                    }
                    else
                    {
                        ExpandedAttention<TSimd, TVector>.Run(task);
                    }
                }
                else
                {
                    AbsorbedAttention<TSimd, TVector>.Run(task);
                }
            }
        }
    }

    // Counts the multiplications of one head both ways. Absorbed, a query takes the up-projections once and then meets every
    // cached row at its full width; expanded, every cached row takes them once and then meets each query at head width.
    private bool PrefersExpanded(int tokenCount, int cachedTokens)
    {
        if (_forms.LatentAttention is { } forced)
        {
            return forced == AttentionForm.Expanded;
        }

        double up = (double)Config.LatentRank * (Config.QkNopeHeadDim + Config.LatentValueDim);
        double pairs = tokenCount * (cachedTokens + ((tokenCount + 1) / 2.0));
        double absorbed = (tokenCount * up) + (pairs * (Config.LatentCacheDim + Config.LatentRank));
        double expanded = ((cachedTokens + (double)tokenCount) * up) + (pairs * (Config.QkHeadDim + Config.LatentValueDim));
        if (UsesIntegers)
        {
            // Keys and values are expanded in float32, at half the speed of the rest.
            expanded += (cachedTokens + (double)tokenCount) * up;
        }

        // One token is always absorbed, so that decoding does not depend on what shares the step.
        return tokenCount > 1 && expanded < absorbed;
    }
}
