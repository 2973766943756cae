using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The operators in vector instructions on a team of threads; weights are read where the files are mapped.</summary>
/// <remarks>
/// Arithmetic is float32, but for products with packed weights, which are exact integer sums of quantised activations scaled block
/// by block (<see cref="ActivationPrecision"/>). How a row is rounded follows from whether a prompt or a reply has its token, and
/// each output row is computed the same way however many rows a call has and however the work is divided, so decoding a token gives
/// the same bits alone and in any batch, on any number of threads. A step allocates nothing once its buffers have grown to the size of the batch.
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
    private readonly WorkerScratch _panels;
    private readonly WorkerScratch _workerScratch;
    private readonly ScratchBuffer _normed = new();
    private readonly ScratchBuffer _inner = new();
    private readonly OperandBuffer _operand = new();
    private readonly OperandBuffer _innerOperand = new();
    private readonly IntegerKernels _integers;
    private readonly string _vectors;
    private readonly RoutingTable _routing = new();
    private readonly AttentionMemory _attention;

    // Tokens of the step that replies write, the first ones; those of prompts follow.
    private int _replyTokens = int.MaxValue;

    public CpuBackend(KimiLinearConfig config, int threadCount, CpuForms forms, IntegerKernels integers, string vectors)
        : base(config)
    {
        _forms = forms;
        _integers = integers;
        _vectors = vectors;
        _team = new WorkerTeam(threadCount);
        _panels = new WorkerScratch(threadCount);
        _attention = new AttentionMemory(threadCount);
        _workerScratch = new WorkerScratch(threadCount);
    }

    public override string Description =>
        $"CPU, {_vectors}, {_team.Count} {(_team.Count == 1 ? "thread" : "threads")}";

    public override void Run(ForwardBatch batch, CacheStorage cache, bool isObserved, Action operators)
    {
        _replyTokens = batch.ReplyTokenCount;
        base.Run(batch, cache, isObserved, operators);
    }

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected)
    {
        var matrix = (HostMatrix)weight;
        StageInput normed = Norm(hidden, norm, tokenCount, FormsFor(matrix.DataTypes));
        var output = (HostBuffer)projected;
        Project(normed.All, matrix, new MatMulOutput(output.Data, output.ColumnCount));
    }

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden)
    {
        var source = (HostBuffer)input;
        var matrix = (HostMatrix)weight;
        StageInput operand = Quantize(
            _operand,
            new MatMulInput(source.Data, source.ColumnCount, tokenCount),
            matrix.ColumnCount,
            FormsFor(matrix.DataTypes));
        Project(operand.All, matrix, new MatMulOutput(((HostBuffer)hidden).Data, Config.HiddenDim, add: true));
    }

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden)
    {
        var gateUp = (HostMatrix)weights.GateUp;
        var down = (HostMatrix)weights.Down;
        GateUpJob job = new()
        {
            Backend = this,
            Input = Norm(hidden, weights.Norm, tokenCount, FormsFor(gateUp.DataTypes)).All,
            Matrix = gateUp,
            Inner = _inner.Get((long)tokenCount * gateUp.RowCount),
        };
        Run(ref job, (long)tokenCount * gateUp.RowCount * Config.HiddenDim);
        StageInput inner = Quantize(
            _innerOperand,
            new MatMulInput(job.Inner, gateUp.RowCount, tokenCount),
            down.ColumnCount,
            FormsFor(down.DataTypes));
        Project(inner.All, down, new MatMulOutput(((HostBuffer)hidden).Data, Config.HiddenDim, add: true));
    }

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits)
    {
        var matrix = (HostMatrix)head;
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

        // Few rows, on which everything depends: as exactly as a reply's, also behind a prompt.
        StageInput operand = Quantize(
            _operand,
            new MatMulInput(normed, Config.HiddenDim, batch.LogitsRowCount),
            Config.HiddenDim,
            StageForms.Same(FormsFor(matrix.DataTypes).Replies));
        Project(operand.All, matrix, new MatMulOutput(((HostBuffer)logits).Data, ((HostBuffer)logits).ColumnCount));
    }

    public override void Dispose()
    {
        _team.Dispose();
        _panels.Dispose();
        _workerScratch.Dispose();
        foreach (ScratchBuffer scratch in (ScratchBuffer[])[_normed, _inner, _routerLogits, _sharedInner, _expertOutputs])
        {
            scratch.Dispose();
        }

        foreach (OperandBuffer buffer in (OperandBuffer[])[_operand, _innerOperand, _sharedOperand])
        {
            buffer.Dispose();
        }

        _routing.Dispose();
        _watched.Dispose();
        _attention.Dispose();
    }

    // 8 bits where they make products faster: with weights of 4 bits.
    private StageForms FormsFor(DataTypeSet types, bool isExpert = false)
    {
        if (_forms.Activations == ActivationPrecision.Float32)
        {
            return default;
        }

        var exact = OperandForms.For(types, eightBit: false, isExpert);
        var fast = OperandForms.For(types, eightBit: true, isExpert);
        return _forms.Activations switch
        {
            ActivationPrecision.Int8 => StageForms.Same(fast),
            ActivationPrecision.Int16 => StageForms.Same(exact),
            _ => new StageForms(exact, fast.Planes ? fast : exact),
        };
    }

    private StageInput Norm(Tensor hidden, Tensor norm, int tokenCount, StageForms forms)
    {
        float* output = _normed.Get((long)tokenCount * Config.HiddenDim);
        NormJob job = new()
        {
            Input = ((HostBuffer)hidden).Data,
            Weight = ((HostBuffer)norm).Data,
            Output = output,
            Operand = Reserve(_operand, new MatMulInput(output, Config.HiddenDim, tokenCount), Config.HiddenDim, forms, tokens: null),
            Length = Config.HiddenDim,
            Epsilon = Config.RmsNormEpsilon,
        };
        Run(ref job, (long)tokenCount * Config.HiddenDim);
        return job.Operand;
    }

    private StageInput Quantize(
        OperandBuffer buffer, MatMulInput floats, int columnCount, StageForms forms, int* tokens = null)
    {
        StageInput operand = Reserve(buffer, floats, columnCount, forms, tokens);
        if (forms.Replies.IsQuantized)
        {
            QuantizeJob job = new() { Operand = operand };
            Run(ref job, (long)floats.Count * columnCount);
        }

        return operand;
    }

    // A row takes one form, so both forms may lie in the same memory.
    private StageInput Reserve(OperandBuffer buffer, MatMulInput floats, int columnCount, StageForms forms, int* tokens)
    {
        int replyTokens = forms.Replies == forms.Prompts ? int.MaxValue : _replyTokens;
        OperandForms first = replyTokens == 0 ? forms.Prompts : forms.Replies;
        OperandForms second = replyTokens >= floats.Count && tokens == null ? forms.Replies : forms.Prompts;
        return new StageInput(
            buffer.Reserve(floats, columnCount, first), buffer.Reserve(floats, columnCount, second), replyTokens, tokens);
    }

    private void Project(StageRows input, HostMatrix matrix, MatMulOutput output)
    {
        ProjectJob job = new() { Backend = this, Input = input, Matrix = matrix, Output = output };
        Run(ref job, (long)input.Count * matrix.RowCount * matrix.ColumnCount);
    }

    private void Multiply(StageRows input, HostMatrix matrix, int firstRow, int rowCount, int worker, MatMulOutput output)
    {
        if (input.Replies.Count > 0)
        {
            Multiply(input.Replies, matrix, firstRow, rowCount, worker, output);
        }

        if (input.Prompts.Count > 0)
        {
            Multiply(input.Prompts, matrix, firstRow, rowCount, worker, output.FromRow(input.Replies.Count));
        }
    }

    // Some rows of a matrix, each part by the kernel for its type; column 0 of the output belongs to the first row.
    private void Multiply(Operand input, HostMatrix matrix, int firstRow, int rowCount, int worker, MatMulOutput output)
    {
        int row = firstRow;
        int end = firstRow + rowCount;
        while (row < end)
        {
            ref readonly HostMatrix.Part part = ref matrix.PartOf(row);
            int count = Math.Min(end, part.FirstRow + part.RowCount) - row;
            MatMulOutput target = output.FromColumn(row - firstRow);
            bool isQuantized = input.TryGet(part.DataType, out FormedRows rows);
            if (isQuantized && PackedLayout.IsPacked(part.DataType))
            {
                long tile = (row - part.FirstRow) / PackedLayout.TileRows;
                byte* tiles = part.Data + (tile * PackedLayout.TileBytes(part.DataType, matrix.ColumnCount));
                _integers.MultiplyTiles(
                    rows, part.DataType, tiles, count / PackedLayout.TileRows, _panels[worker], target);
            }
            else if (isQuantized && StripLayout.Fits(part.RowCount, matrix.ColumnCount))
            {
                _integers.MultiplyRows(rows, part.DataType, part.Row(row), count, _panels[worker], target);
            }
            else
            {
                MatMulKernel<TSimd, TVector>.Multiply(input.Floats, matrix, row, count, _panels[worker], target);
            }

            row += count;
        }
    }

    private static void PrefetchRows(HostMatrix matrix, int row) => CacheLine.PrefetchNextStream(matrix.PartOf(row).Row(row));

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
            _team.RunAlone(ref job);
        }

        _panels.Level();
        _workerScratch.Level();
        _attention.Pages.Level();
    }

    /// <summary>RMS norm and the quantised forms of the result, rows divided among the workers.</summary>
    private struct NormJob : IParallelJob
    {
        public float* Input;  // [T, Length]
        public float* Weight; // [Length]
        public float* Output; // [T, Length]
        public StageInput Operand;
        public int Length;
        public float Epsilon;

        public readonly void Execute(int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Units(Operand.Count, worker, workerCount);
            for (int t = start; t < end; t++)
            {
                long offset = (long)t * Length;
                VectorKernel<TSimd, TVector>.RmsNorm(Input + offset, Weight, Epsilon, Output + offset, Length);
                Operand.Quantize(t);
            }
        }
    }

    /// <summary>The quantised forms of an operand, rows divided among the workers.</summary>
    private struct QuantizeJob : IParallelJob
    {
        public StageInput Operand;

        public readonly void Execute(int worker, int workerCount)
        {
            (int start, int end) = WorkSplit.Units(Operand.Count, worker, workerCount);
            for (int t = start; t < end; t++)
            {
                Operand.Quantize(t);
            }
        }
    }

    /// <summary>A matrix product.</summary>
    private struct ProjectJob : IParallelJob
    {
        public CpuBackend<TSimd, TVector> Backend;
        public StageRows Input;
        public HostMatrix Matrix;
        public MatMulOutput Output;

        public readonly void Execute(int worker, int workerCount)
        {
            int granule = RowWalk.Granule(Input.Count);
            int granuleCount = 0;
            foreach (ref readonly HostMatrix.Part part in Matrix.Parts)
            {
                granuleCount += RowWalk.GranuleCount(part.RowCount, granule);
            }

            RowWalk walk = new(Backend._team, granule, granuleCount, Matrix.ColumnCount, Input.Count, workerCount);
            foreach (ref readonly HostMatrix.Part part in Matrix.Parts)
            {
                while (walk.TryNext(part.RowCount, out int row, out int count))
                {
                    int first = part.FirstRow + row;
                    Backend.Multiply(Input, Matrix, first, count, worker, Output.FromColumn(first));
                }
            }
        }
    }

    /// <summary>SiLU(gate x) ⊙ up x, into the gate's half of each inner row.</summary>
    private struct GateUpJob : IParallelJob
    {
        public CpuBackend<TSimd, TVector> Backend;
        public StageRows Input;
        public HostMatrix Matrix; // [2·F, D]
        public float* Inner;      // [T, 2·F]

        public readonly void Execute(int worker, int workerCount)
        {
            int width = Matrix.RowCount / 2;
            int granule = RowWalk.Granule(Input.Count);
            RowWalk walk = new(
                Backend._team,
                granule,
                RowWalk.GranuleCount(width, granule),
                2 * Matrix.ColumnCount,
                Input.Count,
                workerCount);
            while (walk.TryNext(width, out int row, out int count))
            {
                Backend.GateUp(Input, Matrix, Inner, row, count, worker);
            }
        }
    }

    // Some columns of SiLU(gate x) ⊙ up x.
    private void GateUp(StageRows input, HostMatrix matrix, float* inner, int start, int count, int worker)
    {
        int width = matrix.RowCount / 2;
        MatMulOutput output = new(inner, matrix.RowCount);
        PrefetchRows(matrix, width + start);
        Multiply(input, matrix, start, count, worker, output.FromColumn(start));
        Multiply(input, matrix, width + start, count, worker, output.FromColumn(width + start));
        for (int t = 0; t < input.Count; t++)
        {
            float* gate = inner + ((long)t * matrix.RowCount) + start;
            VectorKernel<TSimd, TVector>.SiluMultiply(gate, gate + width, count);
        }
    }
}
