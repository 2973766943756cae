using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    public override void KimiDelta(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int deltaLayer, Tensor output)
    {
        DeltaJob job = new()
        {
            Backend = this,
            Weights = weights,
            Batch = batch,
            Cache = (HostCache)cache,
            DeltaLayer = deltaLayer,
            Projected = ((HostBuffer)projected).Data,
            Output = ((HostBuffer)output).Data,
        };
        // Each value of the state decays, is multiplied by key and query, and takes in its share of the correction.
        Run(ref job, 4 * batch.TokenCount * cache.Layout.StateLength);
    }

    /// <summary>
    /// One head of some sequences is a unit of work: a sequence's channels, gates and state are its own, but the gates of short
    /// ones are computed together, so that weights are read once for all of them.
    /// </summary>
    private struct DeltaJob : IParallelJob
    {
        // Tokens whose q, k, v and gates are in scratch at a time.
        private const int BlockTokens = DeltaChunkKernel<TSimd, TVector>.ChunkTokens;

        // Sequences of a unit: so few that every worker gets a few units, and no more than fill the widest tiles.
        private const int UnitsPerWorker = 4;
        private const int MaxUnitSequences = 16;

        public CpuBackend<TSimd, TVector> Backend;
        public KimiDeltaWeights Weights;
        public ForwardBatch Batch;
        public HostCache Cache;
        public int DeltaLayer;
        public float* Projected; // [T, 3·H·K + G_f + G_g + H]
        public float* Output;    // [T, H·V]

        private readonly int HeadCount => Backend.Config.DeltaHeadCount;

        private readonly int HeadDim => Backend.Config.DeltaHeadDim;

        // All heads together.
        private readonly int Width => Backend.Config.DeltaDim;

        public readonly void Execute(int worker, int workerCount)
        {
            long kernelLength = Math.Max(
                DeltaKernel<TSimd, TVector>.ScratchLength(BlockTokens, HeadDim),
                DeltaChunkKernel<TSimd, TVector>.ScratchLength(HeadDim));
            float* memory = Backend._workerScratch[worker].Get(DeltaHeadScratch.Length(BlockTokens, HeadDim, kernelLength));
            DeltaHeadScratch scratch = new(memory, BlockTokens, HeadDim);
            int length = Math.Clamp(Batch.SequenceCount * HeadCount / (UnitsPerWorker * workerCount), 1, MaxUnitSequences);
            int unitCount = (Batch.SequenceCount + length - 1) / length * HeadCount;
            // Heads that follow each other are one stream of weights and one of state. Where sequences take unequally long, they are
            // claimed one by one.
            bool isEven = Batch.SequenceCount == 1 || Batch.TokenCount == Batch.SequenceCount;
            WorkUnits units = new(unitCount, smallest: 1, isEven ? workerCount : unitCount);
            while (true)
            {
                (int start, int end) = units[Backend._team.Claim()];
                if (start == end)
                {
                    return;
                }

                for (int unit = start; unit < end; unit++)
                {
                    int first = unit / HeadCount * length;
                    int last = Math.Min(first + length, Batch.SequenceCount);
                    bool isFollowed = unit + 1 < end && (unit + 1) % HeadCount != 0;
                    RunHead(first, last, unit % HeadCount, unit == start, isFollowed, scratch, Backend._panels[worker]);
                }
            }
        }

        private readonly void RunHead(
            int sequence, int end, int head, bool isFirst, bool isFollowed, DeltaHeadScratch scratch, ScratchBuffer panel)
        {
            while (sequence < end)
            {
                int firstRow = Batch.Offset(sequence);
                int next = sequence + 1;
                while (next < end && Batch.Offset(next + 1) - firstRow <= BlockTokens)
                {
                    next++;
                }

                if (next == sequence + 1)
                {
                    if (isFirst)
                    {
                        PrefetchSequence(sequence, head);
                    }

                    if (isFollowed)
                    {
                        PrefetchSequence(sequence, head + 1);
                    }

                    RunAlone(sequence, head, scratch, panel);
                }
                else
                {
                    ComputeGates(head, firstRow, Batch.Offset(next) - firstRow, scratch, panel);
                    for (int i = sequence; i < next; i++)
                    {
                        if (i + 1 < next)
                        {
                            PrefetchSequence(i + 1, head);
                        }

                        RunBlock(i, head, 0, Batch.TokenCountOf(i), scratch.From(Batch.Offset(i) - firstRow));
                        KeepTail(i, head);
                    }
                }

                sequence = next;
            }
        }

        private readonly void RunAlone(int sequence, int head, DeltaHeadScratch scratch, ScratchBuffer panel)
        {
            int tokenCount = Batch.TokenCountOf(sequence);
            for (int start = 0; start < tokenCount; start += BlockTokens)
            {
                int count = Math.Min(BlockTokens, tokenCount - start);
                ComputeGates(head, Batch.Offset(sequence) + start, count, scratch, panel);
                RunBlock(sequence, head, start, count, scratch);
            }

            KeepTail(sequence, head);
        }

        // Tokens of a sequence whose gates are in scratch.
        private readonly void RunBlock(int sequence, int head, int start, int count, DeltaHeadScratch scratch)
        {
            float* output = Output + ((long)(Batch.Offset(sequence) + start) * Width) + (head * HeadDim);
            ComputeQueryKeyValue(sequence, head, start, count, scratch);
            RunDelta(scratch, count, StateOf(sequence, head), output);
            for (int t = 0; t < count; t++)
            {
                float* row = output + ((long)t * Width);
                VectorKernel<TSimd, TVector>.RmsNorm(
                    row, ((HostBuffer)Weights.OutputNorm).Data, Backend.Config.RmsNormEpsilon, row, HeadDim);
                VectorKernel<TSimd, TVector>.SigmoidMultiply(row, scratch.Gate + ((long)t * HeadDim), HeadDim);
            }
        }

        private readonly float* StateOf(int sequence, int head) =>
            Cache.State(Batch.Slot(sequence), DeltaLayer) + ((long)head * HeadDim * HeadDim);

        // What layers or many sequences remember fits no near cache. The delta kernel asks for the rest of a state as it goes.
        private readonly void PrefetchSequence(int sequence, int head)
        {
            int stateBytes = Math.Min(CacheLine.AheadBytes, HeadDim * HeadDim * sizeof(float));
            CacheLine.PrefetchRange(StateOf(sequence, head), stateBytes);
            for (int row = 1 - Backend.Config.ConvolutionWidth; row < 0; row++)
            {
                float* tail = ConvolutionInput(sequence, row) + (head * HeadDim);
                for (int part = 0; part < 3; part++)
                {
                    CacheLine.PrefetchRange(tail + (part * Width), HeadDim * sizeof(float));
                }
            }
        }

        private readonly void RunDelta(DeltaHeadScratch scratch, int count, float* state, float* output)
        {
            if (count >= Backend._forms.ChunkThresholdTokens)
            {
                DeltaChunkKernel<TSimd, TVector>.Run(
                    scratch.Query,
                    scratch.Key,
                    scratch.Value,
                    scratch.Decay,
                    scratch.Beta,
                    count,
                    HeadDim,
                    state,
                    scratch.Kernel,
                    output,
                    Width);
                return;
            }

            // Row by row: where a value lies among the vectors must not depend on how many tokens the call has.
            for (int t = 0; t < count; t++)
            {
                VectorKernel<TSimd, TVector>.Exp(scratch.Decay + ((long)t * HeadDim), HeadDim);
            }

            DeltaKernel<TSimd, TVector>.Run(
                scratch.Query,
                scratch.Key,
                scratch.Value,
                scratch.Decay,
                scratch.Beta,
                count,
                HeadDim,
                state,
                scratch.Kernel,
                output,
                Width);
        }

        private readonly float* ProjectedRow(int row) => Projected + ((long)row * Weights.ProjectionDim);

        // g = −exp(A_log) · softplus(f_b f_a x + dt_bias), z = g_b g_a x, β = σ(b x)
        private readonly void ComputeGates(int head, int firstRow, int count, DeltaHeadScratch scratch, ScratchBuffer panel)
        {
            float* decayGate = ProjectedRow(firstRow) + (3 * Width);
            float* outputGate = decayGate + Weights.DecayGateRank;
            float* beta = outputGate + Weights.OutputGateRank + head;
            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(decayGate, Weights.ProjectionDim, count),
                (HostMatrix)Weights.DecayGateUp,
                head * HeadDim,
                HeadDim,
                panel,
                new MatMulOutput(scratch.Decay, HeadDim));
            MatMulKernel<TSimd, TVector>.Multiply(
                new MatMulInput(outputGate, Weights.ProjectionDim, count),
                (HostMatrix)Weights.OutputGateUp,
                head * HeadDim,
                HeadDim,
                panel,
                new MatMulOutput(scratch.Gate, HeadDim));

            float rate = MathF.Exp(((HostBuffer)Weights.DecayLog).Data[head]);
            float* bias = ((HostBuffer)Weights.DecayBias).Data + (head * HeadDim);
            for (int t = 0; t < count; t++)
            {
                VectorKernel<TSimd, TVector>.LogDecay(scratch.Decay + ((long)t * HeadDim), bias, rate, HeadDim);
                scratch.Beta[t] = 1 / (1 + MathF.Exp(-beta[(long)t * Weights.ProjectionDim]));
            }
        }

        private readonly void ComputeQueryKeyValue(int sequence, int head, int start, int count, DeltaHeadScratch scratch)
        {
            float queryScale = 1 / MathF.Sqrt(HeadDim);
            for (int t = 0; t < count; t++)
            {
                float* q = scratch.Query + ((long)t * HeadDim);
                float* k = scratch.Key + ((long)t * HeadDim);
                float* v = scratch.Value + ((long)t * HeadDim);
                Convolve(sequence, start + t, Weights.QueryConvolution, head * HeadDim, 0, q);
                Convolve(sequence, start + t, Weights.KeyConvolution, head * HeadDim, Width, k);
                Convolve(sequence, start + t, Weights.ValueConvolution, head * HeadDim, 2 * Width, v);
                L2Normalize(q, queryScale);
                L2Normalize(k, 1);
            }
        }

        private readonly void L2Normalize(float* x, float scale) => VectorKernel<TSimd, TVector>.Scale(
            x, scale / MathF.Sqrt(VectorKernel<TSimd, TVector>.SumOfSquares(x, HeadDim) + L2NormEpsilon), HeadDim);

        private readonly void Convolve(
            int sequence, int token, Tensor convolution, int firstChannel, int partOffset, float* output)
        {
            int taps = Backend.Config.ConvolutionWidth;
            float** inputs = stackalloc float*[taps];
            for (int tap = 0; tap < taps; tap++)
            {
                inputs[tap] = ConvolutionInput(sequence, token - (taps - 1) + tap) + partOffset + firstChannel;
            }

            float* kernel = ((HostBuffer)convolution).Data + firstChannel;
            VectorKernel<TSimd, TVector>.Convolve(inputs, kernel, Width, taps, output, HeadDim);
        }

        // A token of this call, or one before it that the tail remembers.
        private readonly float* ConvolutionInput(int sequence, int token) => token >= 0
            ? ProjectedRow(Batch.Offset(sequence) + token)
            : Cache.Tail(Batch.Slot(sequence), DeltaLayer) + ((Backend.Config.ConvolutionWidth - 1L + token) * 3 * Width);

        // Keeps this head's last inputs; going from the oldest on, a row is read before it is overwritten.
        private readonly void KeepTail(int sequence, int head)
        {
            int rows = Backend.Config.ConvolutionWidth - 1;
            for (int row = 0; row < rows; row++)
            {
                float* source = ConvolutionInput(sequence, Batch.TokenCountOf(sequence) - rows + row);
                float* destination = ConvolutionInput(sequence, row - rows);
                for (int part = 0; part < 3; part++)
                {
                    int channel = (part * Width) + (head * HeadDim);
                    new ReadOnlySpan<float>(source + channel, HeadDim).CopyTo(new Span<float>(destination + channel, HeadDim));
                }
            }
        }
    }
}
