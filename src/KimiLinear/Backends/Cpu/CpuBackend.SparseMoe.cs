using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    private readonly ScratchBuffer _routerLogits = new();
    private readonly ScratchBuffer _sharedInner = new();

    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden)
    {
        float* normed = Norm(hidden, weights.Norm, tokenCount);
        Route(weights, normed, tokenCount);
        int visits = tokenCount * Config.ActiveExpertCount;
        observer?.OnRouted(
            layerIndex, new ReadOnlySpan<int>(_routing.Experts, visits), new ReadOnlySpan<float>(_routing.Weights, visits));

        var sharedGateUp = (HostMatrix?)weights.SharedGateUp;
        ExpertsJob job = new()
        {
            Normed = normed,
            HiddenDim = Config.HiddenDim,
            TokenCount = tokenCount,
            ExpertCount = Config.ExpertCount,
            Starts = _routing.Starts,
            Tokens = _routing.Tokens,
            VisitWeights = _routing.VisitWeights,
            GateUp = (HostExperts)weights.ExpertGateUp,
            Down = (HostExperts)weights.ExpertDown,
            SharedGateUp = sharedGateUp,
            SharedDown = (HostMatrix?)weights.SharedDown,
            Inner = _inner.Get(2L * Config.ExpertDim * visits),
            SharedInner = sharedGateUp is null ? null : _sharedInner.Get((long)tokenCount * sharedGateUp.RowCount),
            Hidden = ((HostBuffer)hidden).Data,
            Panels = _panels,
        };
        long multiplications = (long)Config.HiddenDim
            * ((2L * Config.ExpertDim * visits) + ((long)tokenCount * (sharedGateUp?.RowCount ?? 0)));
        Run(ref job, multiplications);
        job.SecondStage = true;
        Run(ref job, multiplications / 2);
    }

    private void Route(SparseMoeWeights weights, float* normed, int tokenCount)
    {
        int expertCount = Config.ExpertCount;
        int active = Config.ActiveExpertCount;
        float* logits = _routerLogits.Get((long)tokenCount * expertCount);
        Project(
            new MatMulInput(normed, Config.HiddenDim, tokenCount),
            (HostMatrix)weights.Router,
            new MatMulOutput(logits, expertCount));

        _routing.Reserve(tokenCount, active, expertCount);
        for (int t = 0; t < tokenCount; t++)
        {
            ExpertSelection.Select(
                Config,
                new ReadOnlySpan<float>(logits + ((long)t * expertCount), expertCount),
                ((HostBuffer)weights.CorrectionBias).Span,
                new Span<int>(_routing.Experts + ((long)t * active), active),
                new Span<float>(_routing.Weights + ((long)t * active), active));
        }

        _routing.Group(tokenCount, active, expertCount);
    }

    /// <summary>
    /// The experts in two stages: every worker computes its rows of all gate and up matrices, then its rows of all down
    /// matrices. Experts follow each other in ascending order, then the shared one, so that sums do not depend on the batch.
    /// </summary>
    private struct ExpertsJob : IParallelJob
    {
        public float* Normed; // [T, D]
        public int HiddenDim;
        public int TokenCount;
        public int ExpertCount;
        public int* Starts;         // [E + 1]
        public int* Tokens;         // [visits]
        public float* VisitWeights; // [visits]
        public HostExperts GateUp;
        public HostExperts Down;
        public HostMatrix? SharedGateUp;
        public HostMatrix? SharedDown;
        public float* Inner;       // [visits, 2·F]
        public float* SharedInner; // [T, 2·F]
        public float* Hidden;      // [T, D]
        public ScratchBuffer[] Panels;
        public bool SecondStage;

        public readonly void Execute(int worker, int workerCount)
        {
            for (int expert = 0; expert < ExpertCount; expert++)
            {
                int start = Starts[expert];
                int count = Starts[expert + 1] - start;
                if (count == 0)
                {
                    continue;
                }

                int innerWidth = GateUp[expert].RowCount;
                float* inner = Inner + ((long)start * innerWidth);
                if (!SecondStage)
                {
                    MatMulInput input = new(Normed, HiddenDim, count, Tokens + start);
                    CpuBackend<TSimd, TVector>.GateUp(input, GateUp[expert], inner, Panels[worker], worker, workerCount);
                }
                else
                {
                    MatMulInput input = new(inner, innerWidth, count);
                    MatMulOutput output = new(Hidden, HiddenDim, add: true, Tokens + start, VisitWeights + start);
                    AddDown(input, Down[expert], output, worker, workerCount);
                }
            }

            ExecuteShared(worker, workerCount);
        }

        private readonly void ExecuteShared(int worker, int workerCount)
        {
            if (SharedGateUp is null)
            {
                return;
            }

            if (!SecondStage)
            {
                MatMulInput input = new(Normed, HiddenDim, TokenCount);
                CpuBackend<TSimd, TVector>.GateUp(input, SharedGateUp, SharedInner, Panels[worker], worker, workerCount);
            }
            else
            {
                MatMulInput input = new(SharedInner, SharedGateUp.RowCount, TokenCount);
                AddDown(input, SharedDown!, new MatMulOutput(Hidden, HiddenDim, add: true), worker, workerCount);
            }
        }

        private readonly void AddDown(MatMulInput input, HostMatrix down, MatMulOutput output, int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Rows(down.RowCount, worker, workerCount);
            MatMulKernel<TSimd, TVector>.Multiply(input, down, start, end - start, Panels[worker], output.FromColumn(start));
        }
    }
}
