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
                job.SequenceCount++;
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

    /// <summary>
    /// All sequences but those that absorb in integers. Where there are many short ones, each is a unit of work; others are
    /// divided by heads.
    /// </summary>
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
        public int SequenceCount; // those that do not absorb in integers

        public readonly void Execute(int worker, int workerCount)
        {
            int first = 0;
            int unit = Backend._team.Claim();
            for (int sequence = 0; sequence < Batch.SequenceCount; sequence++)
            {
                if (Backend.AbsorbsIntegers(Batch.TokenCountOf(sequence), Batch.CachedTokens(sequence)))
                {
                    continue;
                }

                int groups = HeadGroups(sequence, workerCount);
                for (; unit < first + groups; unit = Backend._team.Claim())
                {
                    (int head, int end) = WorkSplit.Units(Backend.Config.LatentHeadCount, unit - first, groups);
                    Attend(sequence, head, end - head, worker);
                }

                first += groups;
            }
        }

        // Heads that are attended to together share the reading of cached rows; divided, a sequence is done sooner.
        private readonly int HeadGroups(int sequence, int workerCount)
        {
            long pairs = (long)Batch.TokenCountOf(sequence) * (Batch.CachedTokens(sequence) + Batch.TokenCountOf(sequence));
            bool isShort = pairs * Backend.Config.LatentHeadCount * Backend.Config.LatentCacheDim < WakeThreshold;
            return isShort && SequenceCount >= 2 * workerCount
                ? 1
                : Math.Min(workerCount, Backend.Config.LatentHeadCount);
        }

        private readonly void Attend(int sequence, int firstHead, int headCount, int worker)
        {
            int outputWidth = Backend.Config.LatentHeadCount * Backend.Config.LatentValueDim;
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
                HeadCount = headCount,
                Scratch = Backend._workerScratch[worker],
                Panel = Backend._panels[worker],
                PageScratch = Backend._attention.Pages[worker],
            };
            if (!Backend.PrefersExpanded(task.TokenCount, task.CachedTokens))
            {
                AbsorbedAttention<TSimd, TVector>.Run(task);
            }
            else if (Backend.UsesIntegers)
            {
                ExpandedIntegers<TSimd, TVector>.Run(task);
            }
            else
            {
                ExpandedAttention<TSimd, TVector>.Run(task);
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
