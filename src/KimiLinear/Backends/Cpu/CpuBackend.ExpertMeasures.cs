namespace KimiLinear.Backends;

/// <content>How large the outputs of experts are, for those who watch.</content>
internal sealed unsafe partial class CpuBackend<TSimd, TVector>
{
    private readonly ScratchBuffer _expertOutputs = new();
    private readonly RoutingTable _watched = new();

    // The job has added its experts to the residual stream; what they read, and what lies between their matrices, is there still.
    private void MeasureExperts(
        ExpertsJob job, ReadOnlySpan<float> correctionBias, int tokenCount, int layerIndex, IExpertObserver observer)
    {
        int active = Config.ActiveExpertCount;
        int visits = tokenCount * active;
        ReadOnlySpan<int> routed = new(_routing.Experts, visits);
        ReadOnlySpan<float> logits = new(_routerLogits.Get((long)tokenCount * Config.ExpertCount), tokenCount * Config.ExpertCount);
        ReadOnlySpan<int> watched = observer.OnScored(layerIndex, logits, correctionBias, routed);
        long multiplications = 2L * Config.HiddenDim * Config.ExpertDim * visits;
        job.SharedGateUp = null;
        job.SharedDown = null;
        if (!watched.SequenceEqual(routed))
        {
            Reroute(ref job, watched, tokenCount);
            job.Stage = ExpertsStage.GateUp;
            Run(ref job, multiplications);
            job.InnerOperand = Quantize(
                _innerOperand,
                new MatMulInput(job.Inner, 2L * Config.ExpertDim, visits),
                Config.ExpertDim,
                FormsFor(job.Down.DataTypes, isExpert: true),
                job.Tokens);
        }

        job.Stage = ExpertsStage.Outputs;
        job.Outputs = _expertOutputs.Get((long)visits * Config.HiddenDim);
        Run(ref job, multiplications / 2);

        if (observer.WantsOutputs)
        {
            TellOutputs(job, layerIndex, observer);
        }

        double[] norms = new double[visits];
        float[] maxima = new float[visits];
        fixed (double* norm = norms)
        fixed (float* maximum = maxima)
        {
            MeasureJob measure = new()
            {
                Outputs = job.Outputs,
                Length = Config.HiddenDim,
                Places = Places(watched, job.Starts),
                Norms = norm,
                Maxima = maximum,
            };
            Run(ref measure, (long)visits * Config.HiddenDim);
        }

        observer.OnMeasured(layerIndex, norms, maxima);
    }

    private void TellOutputs(in ExpertsJob job, int layerIndex, IExpertObserver observer)
    {
        for (int expert = 0; expert < Config.ExpertCount; expert++)
        {
            for (int visit = job.Starts[expert]; visit < job.Starts[expert + 1]; visit++)
            {
                observer.OnOutput(
                    layerIndex, expert, new ReadOnlySpan<float>(job.Outputs + ((long)visit * Config.HiddenDim), Config.HiddenDim));
            }
        }
    }

    private void Reroute(ref ExpertsJob job, ReadOnlySpan<int> experts, int tokenCount)
    {
        _watched.Reserve(tokenCount, Config.ActiveExpertCount, Config.ExpertCount);
        experts.CopyTo(new Span<int>(_watched.Experts, experts.Length));
        new Span<float>(_watched.Weights, experts.Length).Fill(1);
        _watched.Group(tokenCount, Config.ActiveExpertCount, Config.ExpertCount);
        job.Starts = _watched.Starts;
        job.Tokens = _watched.Tokens;
        job.VisitWeights = _watched.VisitWeights;
    }

    // Where the output of each visit lies: experts follow each other, and the visits of one keep their order.
    private int[] Places(ReadOnlySpan<int> experts, int* starts)
    {
        int[] next = new ReadOnlySpan<int>(starts, Config.ExpertCount).ToArray();
        int[] places = new int[experts.Length];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = next[experts[i]]++;
        }

        return places;
    }

    /// <summary>The norms and maxima of outputs, visits divided among the workers.</summary>
    private struct MeasureJob : IParallelJob
    {
        public float* Outputs; // [visits, Length]
        public int Length;
        public int[] Places;
        public double* Norms;
        public float* Maxima;

        public readonly void Execute(int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Units(Places.Length, worker, workerCount);
            for (int i = start; i < end; i++)
            {
                (Norms[i], Maxima[i]) = OutputMeasure.Of(
                    new ReadOnlySpan<float>(Outputs + ((long)Places[i] * Length), Length));
            }
        }
    }
}
