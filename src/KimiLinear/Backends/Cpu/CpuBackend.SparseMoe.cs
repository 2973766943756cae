using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    private readonly ScratchBuffer _routerLogits = new();
    private readonly ScratchBuffer _sharedInner = new();
    private readonly OperandBuffer _sharedOperand = new();

    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden)
    {
        var gateUp = (HostExperts)weights.ExpertGateUp;
        var down = (HostExperts)weights.ExpertDown;
        var sharedGateUp = (HostMatrix?)weights.SharedGateUp;
        var sharedDown = (HostMatrix?)weights.SharedDown;
        StageForms forms = FormsFor(gateUp.DataTypes, isExpert: true);
        StageForms sharedForms = sharedGateUp is null ? forms : FormsFor(sharedGateUp.DataTypes, isExpert: true);
        // Of weights that are packed otherwise, the shared expert's rows are rounded for it alone.
        bool sharesForms = sharedGateUp is null || forms.Prompts.EightBit == sharedForms.Prompts.EightBit;
        StageInput normed = Norm(
            hidden,
            weights.Norm,
            tokenCount,
            sharesForms ? FormsFor(gateUp.DataTypes | (sharedGateUp?.DataTypes ?? default), isExpert: true) : forms);
        Route(weights, normed, tokenCount);
        int visits = tokenCount * Config.ActiveExpertCount;
        observer?.OnRouted(
            layerIndex, new ReadOnlySpan<int>(_routing.Experts, visits), new ReadOnlySpan<float>(_routing.Weights, visits));
        if (observer is IExpertInputObserver inputObserver)
        {
            (int values, int scores) = (tokenCount * Config.HiddenDim, tokenCount * Config.ExpertCount);
            inputObserver.OnInput(
                layerIndex,
                new ReadOnlySpan<float>(_normed.Get(values), values),
                new ReadOnlySpan<float>(_routerLogits.Get(scores), scores));
        }

        ExpertsJob job = new()
        {
            Backend = this,
            Normed = normed,
            SharedNormed = sharesForms
                ? normed.All
                : Quantize(_sharedOperand, normed.Floats, Config.HiddenDim, sharedForms).All,
            HiddenDim = Config.HiddenDim,
            ExpertCount = Config.ExpertCount,
            Starts = _routing.Starts,
            Tokens = _routing.Tokens,
            VisitWeights = _routing.VisitWeights,
            GateUp = gateUp,
            Down = down,
            SharedGateUp = sharedGateUp,
            SharedDown = sharedDown,
            Inner = _inner.Get(2L * Config.ExpertDim * visits),
            SharedInner = sharedGateUp is null ? null : _sharedInner.Get((long)tokenCount * sharedGateUp.RowCount),
            Hidden = ((HostBuffer)hidden).Data,
        };
        long multiplications = (long)Config.HiddenDim
            * ((2L * Config.ExpertDim * visits) + ((long)tokenCount * (sharedGateUp?.RowCount ?? 0)));
        Run(ref job, multiplications);
        job.Stage = ExpertsStage.Down;
        job.InnerOperand = Quantize(
            _innerOperand,
            new MatMulInput(job.Inner, 2L * Config.ExpertDim, visits),
            Config.ExpertDim,
            FormsFor(down.DataTypes, isExpert: true),
            job.Tokens);
        if (sharedDown is not null)
        {
            job.SharedInnerOperand = Quantize(
                _sharedOperand,
                new MatMulInput(job.SharedInner, sharedGateUp!.RowCount, tokenCount),
                sharedDown.ColumnCount,
                FormsFor(sharedDown.DataTypes, isExpert: true)).All;
        }

        // While reading weights takes longer than multiplying. Memory for it is reserved by long steps as well, so that it stays as it
        // is when short ones follow.
        const int MaxTokens = WeightPanel.MinInputRows - 1;
        float* outputs = _expertOutputs.Get(
            Math.Min(tokenCount, MaxTokens) * (Config.ActiveExpertCount + 1L) * Config.HiddenDim);
        if (tokenCount <= MaxTokens)
        {
            job.Stage = ExpertsStage.Outputs;
            job.Outputs = outputs;
        }

        Run(ref job, multiplications / 2);
        if (job.Stage == ExpertsStage.Outputs)
        {
            SumOutputsJob sum = new() { Experts = job };
            Run(ref sum, ((long)visits + tokenCount) * Config.HiddenDim);
        }

        if (observer is IExpertObserver expertObserver)
        {
            MeasureExperts(job, ((HostBuffer)weights.CorrectionBias).Span, tokenCount, layerIndex, expertObserver);
        }
    }

    private void Route(SparseMoeWeights weights, StageInput normed, int tokenCount)
    {
        int expertCount = Config.ExpertCount;
        int active = Config.ActiveExpertCount;
        float* logits = _routerLogits.Get((long)tokenCount * expertCount);
        Project(normed.All, (HostMatrix)weights.Router, new MatMulOutput(logits, expertCount));

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

    private enum ExpertsStage
    {
        GateUp,
        Down,
        Outputs,
    }

    /// <summary>
    /// The experts in two stages: every worker computes its rows of all gate and up matrices, then its rows of all down
    /// matrices. Experts follow each other in ascending order, then the shared one, so that sums do not depend on the batch.
    /// Where tokens are few, and where outputs are measured, the second stage writes those of each visit by themselves: weights
    /// are then read in the longest streams.
    /// </summary>
    private struct ExpertsJob : IParallelJob
    {
        public CpuBackend<TSimd, TVector> Backend;
        public StageInput Normed; // [T, D]
        public StageRows SharedNormed;
        public int HiddenDim;
        public int ExpertCount;
        public int* Starts;         // [E + 1]
        public int* Tokens;         // [visits]
        public float* VisitWeights; // [visits]
        public HostExperts GateUp;
        public HostExperts Down;
        public HostMatrix? SharedGateUp;
        public HostMatrix? SharedDown;
        public float* Inner;               // [visits, 2·F]
        public StageInput InnerOperand;    // [visits, F]
        public float* SharedInner;         // [T, 2·F]
        public StageRows SharedInnerOperand; // [T, F]
        public float* Hidden;              // [T, D]
        public float* Outputs;             // [visits (+ T of the shared expert), D]
        public ExpertsStage Stage;

        public readonly void Execute(int worker, int workerCount)
        {
            switch (Stage)
            {
                case ExpertsStage.GateUp:
                    ExecuteGateUp(worker, workerCount);
                    break;
                case ExpertsStage.Down:
                    ExecuteDown(worker, workerCount);
                    break;
                default:
                    ExecuteOutputs(worker, workerCount);
                    break;
            }
        }

        private readonly void ExecuteGateUp(int worker, int workerCount)
        {
            int granule = RowWalk.Granule(Normed.Count);
            int sharedDim = SharedDown?.ColumnCount ?? 0;
            int granuleCount = RowWalk.GranuleCount(sharedDim, granule);
            for (int expert = 0; expert < ExpertCount; expert++)
            {
                if (Count(expert) > 0)
                {
                    granuleCount += RowWalk.GranuleCount(Down[expert].ColumnCount, granule);
                }
            }

            int inputs = Starts[ExpertCount] / Math.Max(1, VisitedCount());
            RowWalk walk = new(Backend._team, granule, granuleCount, 2 * HiddenDim, inputs, workerCount);
            for (int expert = 0; expert < ExpertCount; expert++)
            {
                while (Count(expert) > 0 && walk.TryNext(Down[expert].ColumnCount, out int row, out int rowCount))
                {
                    StageRows input = Normed.Select(Tokens + Starts[expert], Count(expert));
                    float* inner = Inner + ((long)Starts[expert] * GateUp[expert].RowCount);
                    Backend.GateUp(input, GateUp[expert], inner, row, rowCount, worker);
                }
            }

            while (SharedGateUp is not null && walk.TryNext(sharedDim, out int row, out int rowCount))
            {
                Backend.GateUp(SharedNormed, SharedGateUp, SharedInner, row, rowCount, worker);
            }
        }

        // Some columns of the output after others; for each, all experts follow each other.
        private readonly void ExecuteDown(int worker, int workerCount)
        {
            int granule = RowWalk.Granule(Normed.Count);
            int visitedCount = VisitedCount();
            RowWalk walk = new(
                Backend._team,
                granule,
                RowWalk.GranuleCount(HiddenDim, granule),
                Down[0].ColumnCount,
                InnerOperand.Count / visitedCount,
                workerCount,
                visitedCount + (SharedDown is null ? 0 : 1));
            while (walk.TryNext(HiddenDim, out int row, out int rowCount))
            {
                for (int expert = 0; expert < ExpertCount; expert++)
                {
                    if (Count(expert) > 0)
                    {
                        int start = Starts[expert];
                        MatMulOutput output = new(Hidden, HiddenDim, add: true, Tokens + start, VisitWeights + start);
                        StageRows input = InnerOperand.From(start, Count(expert));
                        if (After(expert) is { } next)
                        {
                            PrefetchRows(next, row);
                        }

                        Backend.Multiply(input, Down[expert], row, rowCount, worker, output.FromColumn(row));
                    }
                }

                if (SharedDown is not null)
                {
                    MatMulOutput output = new(Hidden, HiddenDim, add: true);
                    Backend.Multiply(SharedInnerOperand, SharedDown, row, rowCount, worker, output.FromColumn(row));
                }
            }
        }

        // One expert after the other.
        private readonly void ExecuteOutputs(int worker, int workerCount)
        {
            int granule = RowWalk.Granule(Normed.Count);
            int visitedCount = VisitedCount();
            RowWalk walk = new(
                Backend._team,
                granule,
                RowWalk.GranuleCount(HiddenDim, granule) * (visitedCount + (SharedDown is null ? 0 : 1)),
                Down[0].ColumnCount,
                InnerOperand.Count / Math.Max(1, visitedCount),
                workerCount);
            for (int expert = 0; expert < ExpertCount; expert++)
            {
                while (Count(expert) > 0 && walk.TryNext(HiddenDim, out int row, out int rowCount))
                {
                    int start = Starts[expert];
                    if (row + rowCount == HiddenDim && After(expert) is { } next)
                    {
                        PrefetchRows(next, 0);
                    }

                    MatMulOutput output = new(Outputs + ((long)start * HiddenDim), HiddenDim);
                    StageRows input = InnerOperand.From(start, Count(expert));
                    Backend.Multiply(input, Down[expert], row, rowCount, worker, output.FromColumn(row));
                }
            }

            while (SharedDown is not null && walk.TryNext(HiddenDim, out int row, out int rowCount))
            {
                MatMulOutput output = new(Outputs + ((long)InnerOperand.Count * HiddenDim), HiddenDim);
                Backend.Multiply(SharedInnerOperand, SharedDown, row, rowCount, worker, output.FromColumn(row));
            }
        }

        // What is read after an expert: the next one that is visited, or the shared one.
        private readonly HostMatrix? After(int expert)
        {
            for (int next = expert + 1; next < ExpertCount; next++)
            {
                if (Count(next) > 0)
                {
                    return Down[next];
                }
            }

            return SharedDown;
        }

        // Experts that tokens visit.
        private readonly int VisitedCount()
        {
            int count = 0;
            for (int expert = 0; expert < ExpertCount; expert++)
            {
                count += Count(expert) > 0 ? 1 : 0;
            }

            return count;
        }

        // Tokens that visit an expert.
        private readonly int Count(int expert) => Starts[expert + 1] - Starts[expert];
    }

    /// <summary>
    /// Adds the outputs of the second stage in the order of the experts; columns are divided among the workers.
    /// </summary>
    private struct SumOutputsJob : IParallelJob
    {
        public ExpertsJob Experts;

        public readonly void Execute(int worker, int workerCount)
        {
            int dim = Experts.HiddenDim;
            int visits = Experts.InnerOperand.Count;
            MatMulOutput hidden = new(Experts.Hidden, dim, add: true, Experts.Tokens, Experts.VisitWeights);
            Add(hidden, Experts.Outputs, visits, worker, workerCount);
            if (Experts.SharedDown is not null)
            {
                float* shared = Experts.Outputs + ((long)visits * dim);
                Add(new MatMulOutput(Experts.Hidden, dim, add: true), shared, Experts.Normed.Count, worker, workerCount);
            }
        }

        private readonly void Add(MatMulOutput hidden, float* outputs, int count, int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Units(Experts.HiddenDim, worker, workerCount);
            for (int i = 0; i < count; i++)
            {
                hidden.Row(i, start).PutAll<TSimd, TVector>(outputs + ((long)i * Experts.HiddenDim) + start, end - start);
            }
        }
    }
}
