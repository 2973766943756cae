using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The operators in vector instructions on a team of threads; weights are read where the files are mapped.</summary>
/// <remarks>
/// Arithmetic is float32 whatever the weights are stored in. Each output row is computed the same way however many rows a call
/// has and however the work is divided, so decoding a token gives the same bits alone and in any batch, on any number of
/// threads. A step allocates nothing once its buffers have grown to the size of the batch.
/// </remarks>
internal sealed unsafe partial class CpuBackend<TSimd, TVector> : HostBackend
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Below this many multiplications, some microseconds of work, meeting costs more than sharing saves.
    private const long ForkThreshold = 128 * 1024;

    // Waking workers that have parked takes as long as this many.
    private const long WakeThreshold = 1024 * 1024;

    private readonly CpuForms _forms;
    private readonly WorkerTeam _team;
    private readonly ScratchBuffer[] _panels;
    private readonly ScratchBuffer[] _workerScratch;
    private readonly ScratchBuffer _normed = new();
    private readonly ScratchBuffer _inner = new();
    private readonly RoutingTable _routing = new();
    private readonly AttentionMemory _attention;

    public CpuBackend(KimiLinearConfig config, int threadCount, CpuForms forms)
        : base(config)
    {
        _forms = forms;
        _team = new WorkerTeam(threadCount);
        _panels = [.. Enumerable.Range(0, threadCount).Select(_ => new ScratchBuffer())];
        _attention = new AttentionMemory(threadCount);
        _workerScratch = [.. Enumerable.Range(0, threadCount).Select(_ => new ScratchBuffer())];
    }

    public override string Description => $"CPU, {TSimd.Name}, {_team.Count} {(_team.Count == 1 ? "thread" : "threads")}";

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected)
    {
        float* normed = Norm(hidden, norm, tokenCount);
        var output = (HostBuffer)projected;
        Project(
            new MatMulInput(normed, Config.HiddenDim, tokenCount),
            (HostMatrix)weight,
            new MatMulOutput(output.Data, output.ColumnCount));
    }

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden)
    {
        var source = (HostBuffer)input;
        Project(
            new MatMulInput(source.Data, source.ColumnCount, tokenCount),
            (HostMatrix)weight,
            new MatMulOutput(((HostBuffer)hidden).Data, Config.HiddenDim, add: true));
    }

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden)
    {
        float* normed = Norm(hidden, weights.Norm, tokenCount);
        var gateUp = (HostMatrix)weights.GateUp;
        float* inner = _inner.Get((long)tokenCount * gateUp.RowCount);
        GateUpJob job = new()
        {
            Input = new MatMulInput(normed, Config.HiddenDim, tokenCount),
            Matrix = gateUp,
            Inner = inner,
            Panels = _panels,
        };
        Run(ref job, (long)tokenCount * gateUp.RowCount * Config.HiddenDim);
        Project(
            new MatMulInput(inner, gateUp.RowCount, tokenCount),
            (HostMatrix)weights.Down,
            new MatMulOutput(((HostBuffer)hidden).Data, Config.HiddenDim, add: true));
    }

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits)
    {
        float* normed = _normed.Get((long)batch.LogitsRowCount * Config.HiddenDim);
        for (int i = 0; i < batch.LogitsRowCount; i++)
        {
            VectorKernel<TSimd, TVector>.RmsNorm(
                ((HostBuffer)hidden).Data + ((long)batch.LogitsRows[i] * Config.HiddenDim),
                ((HostBuffer)norm).Data,
                Config.RmsNormEpsilon,
                normed + ((long)i * Config.HiddenDim),
                Config.HiddenDim);
        }

        Project(
            new MatMulInput(normed, Config.HiddenDim, batch.LogitsRowCount),
            (HostMatrix)head,
            new MatMulOutput(((HostBuffer)logits).Data, ((HostBuffer)logits).ColumnCount));
    }

    public override void Dispose()
    {
        _team.Dispose();
        foreach (ScratchBuffer scratch in (ScratchBuffer[])
            [.. _panels, .. _workerScratch, _normed, _inner, _routerLogits, _sharedInner])
        {
            scratch.Dispose();
        }

        _routing.Dispose();
        _attention.Dispose();
    }

    private float* Norm(Tensor hidden, Tensor norm, int tokenCount)
    {
        NormJob job = new()
        {
            Input = ((HostBuffer)hidden).Data,
            Weight = ((HostBuffer)norm).Data,
            Output = _normed.Get((long)tokenCount * Config.HiddenDim),
            TokenCount = tokenCount,
            Length = Config.HiddenDim,
            Epsilon = Config.RmsNormEpsilon,
        };
        Run(ref job, (long)tokenCount * Config.HiddenDim);
        return job.Output;
    }

    private void Project(MatMulInput input, HostMatrix matrix, MatMulOutput output)
    {
        ProjectJob job = new() { Input = input, Matrix = matrix, Output = output, Panels = _panels };
        Run(ref job, (long)input.Count * matrix.RowCount * matrix.ColumnCount);
    }

    // Small jobs stay on the caller.
    private void Run<TJob>(ref TJob job, long multiplications)
        where TJob : struct, IParallelJob
    {
        if (_forms.SharesAllWork || multiplications >= (_team.IsAwake ? ForkThreshold : WakeThreshold))
        {
            _team.Run(ref job);
        }
        else
        {
            job.Execute(0, 1);
        }
    }

    /// <summary>RMS norm, rows divided among the workers.</summary>
    private struct NormJob : IParallelJob
    {
        public float* Input;  // [T, Length]
        public float* Weight; // [Length]
        public float* Output; // [T, Length]
        public int TokenCount;
        public int Length;
        public float Epsilon;

        public readonly void Execute(int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Units(TokenCount, worker, workerCount);
            for (int t = start; t < end; t++)
            {
                long offset = (long)t * Length;
                VectorKernel<TSimd, TVector>.RmsNorm(Input + offset, Weight, Epsilon, Output + offset, Length);
            }
        }
    }

    /// <summary>A matrix product, weight rows divided among the workers, so that each reads its own part of the file.</summary>
    private struct ProjectJob : IParallelJob
    {
        public MatMulInput Input;
        public HostMatrix Matrix;
        public MatMulOutput Output;
        public ScratchBuffer[] Panels;

        public readonly void Execute(int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Rows(Matrix.RowCount, worker, workerCount);
            MatMulKernel<TSimd, TVector>.Multiply(Input, Matrix, start, end - start, Panels[worker], Output.FromColumn(start));
        }
    }

    /// <summary>SiLU(gate x) ⊙ up x, into the gate's half of each inner row.</summary>
    private struct GateUpJob : IParallelJob
    {
        public MatMulInput Input;
        public HostMatrix Matrix; // [2·F, D]
        public float* Inner;      // [T, 2·F]
        public ScratchBuffer[] Panels;

        public readonly void Execute(int worker, int workerCount) =>
            GateUp(Input, Matrix, Inner, Panels[worker], worker, workerCount);
    }

    private static void GateUp(
        MatMulInput input, HostMatrix matrix, float* inner, ScratchBuffer panel, int worker, int workerCount)
    {
        int width = matrix.RowCount / 2;
        (int start, int end) = WorkSplit.Rows(width, worker, workerCount);
        MatMulOutput output = new(inner, matrix.RowCount);
        MatMulKernel<TSimd, TVector>.Multiply(input, matrix, start, end - start, panel, output.FromColumn(start));
        MatMulKernel<TSimd, TVector>.Multiply(input, matrix, width + start, end - start, panel, output.FromColumn(width + start));
        for (int t = 0; t < input.Count; t++)
        {
            float* gate = inner + ((long)t * matrix.RowCount) + start;
            VectorKernel<TSimd, TVector>.SiluMultiply(gate, gate + width, end - start);
        }
    }
}
