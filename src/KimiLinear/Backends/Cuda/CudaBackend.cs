using System.Globalization;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The operators as kernels of our own on an NVIDIA GPU; steps that decode are recorded once as a graph.</summary>
/// <remarks>
/// Matrices keep the values and the bits that they are stored with, but for those that attention multiplies itself, which are
/// bfloat16; activations, states, sums and, unless the cache says otherwise, latent rows are float32. Nothing waits for the GPU
/// but <see cref="Download"/> and what copies memory of sequences.
/// </remarks>
internal sealed unsafe partial class CudaBackend : ComputeBackend
{
    /// <summary>The most sequences that one graph decodes.</summary>
    public const int MaxGraphTokens = 128;

    // From this many tokens on, products run on tensor cores: fewer leave most of a tile empty.
    private const int FewestTileTokens = 16;

    // Tokens that an operator takes at a time, which bounds what lies between its kernels.
    private const int TilePieceTokens = 4096;
    private const int RowPieceTokens = 512;
    private const int LatentPieceTokens = 128;
    private const int DeltaPieceTokens = 2048;

    // Sequences of this many new tokens or more are read by the kernels for prompts: they take whole tiles of tokens.
    private const int FewestTogether = 32;

    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly DecodeKernels _kernels;
    private readonly PrefillKernels _prefill;
    private readonly CudaStaging _staging;
    private readonly CudaWeights _weights;
    private readonly CudaScratch _scratch;
    private readonly CudaGraphBuckets _graphs;
    private readonly CudaStep _recordedStep;
    private readonly CudaStep _eagerStep;
    private readonly Action<int> _record;
    private readonly bool _takesTiles;
    private readonly bool _expandsLatents;
    private readonly List<IDisposable> _owned = [];
    private CudaStep _step;
    private Action _operators = () => { };

    /// <param name="config">The model's configuration.</param>
    /// <param name="device">The GPU; the backend disposes it.</param>
    /// <exception cref="CudaException">The driver does not take the kernels.</exception>
    /// <exception cref="DeviceMemoryException">Not even the tables of a step fit the GPU.</exception>
    public CudaBackend(KimiLinearConfig config, CudaDevice device)
        : base(config)
    {
        _device = Own(device);
        try
        {
            _stream = Own(new CudaStream(device));
            _kernels = Own(new DecodeKernels(device));
            _prefill = Own(new PrefillKernels(device));
            _staging = Own(new CudaStaging(device, _stream));
            _weights = Own(new CudaWeights(device, _staging));
            _scratch = Own(new CudaScratch(device));
            _graphs = Own(new CudaGraphBuckets(device, _stream, MaxGraphTokens));
            _recordedStep = Own(new CudaStep(device, _stream));
            _eagerStep = Own(new CudaStep(device, _stream));
            _step = _eagerStep;
            _record = _ => _operators();
            _takesTiles = Array.TrueForAll(
                [
                    config.HiddenDim, config.DeltaDim, config.LatentHeadCount * config.LatentValueDim, config.DenseDim,
                    config.ExpertDim, config.SharedExpertDim,
                ],
                PrefillKernels.TakesColumns);
            _expandsLatents = _takesTiles && PrefillKernels.TakesLatents(
                config.QkNopeHeadDim, config.QkRopeHeadDim, config.LatentValueDim, config.LatentRank);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>
    /// How exactly activations are multiplied on tensor cores: <see cref="ActivationPrecision.Int8"/> rounds them to bfloat16
    /// always, <see cref="ActivationPrecision.Auto"/> in steps of more tokens than a graph decodes, where arithmetic is the
    /// bound; else they are the sum of two such parts, which is as good as float32.
    /// </summary>
    public ActivationPrecision Activations { get; init; }

    /// <summary>Whether steps that decode are recorded as graphs; else every kernel of every step is launched by itself.</summary>
    public bool UsesGraphs { get; init; } = true;

    public override string Description => string.Create(
        CultureInfo.InvariantCulture, $"cuda:{_device.Index}, {_device.Name}, kernels for {_device.Architecture}");

    public override long? MemoryBytes
    {
        get
        {
            _device.MakeCurrent();
            return _device.Memory.Total;
        }
    }

    public override bool MeasuresExperts => false;

    public override void ExpectWeights(IEnumerable<StoredTensor> tensors)
    {
        _device.MakeCurrent();
        _weights.Expect(tensors);
    }

    public override Tensor Bind(WeightRole role, params ReadOnlySpan<StoredTensor> parts)
    {
        _device.MakeCurrent();
        switch (role)
        {
            case WeightRole.Vector:
                return new CudaTensor(this, DataType.Float32, VectorShape(parts[0].Shape), _weights.Vector(parts[0]));
            case WeightRole.Convolution:
                Shape taps = new(Config.ConvolutionWidth, parts[0].Shape.ElementCount / Config.ConvolutionWidth);
                return new CudaTensor(
                    this, DataType.Float32, taps, _weights.Convolution(parts[0], Config.ConvolutionWidth));
        }

        long columns = parts[0].Shape[1];
        long rows = 0;
        foreach (StoredTensor part in parts)
        {
            rows += part.Shape[0];
        }

        int experts = role switch
        {
            WeightRole.ExpertGateUp => parts.Length / 2,
            WeightRole.ExpertDown => parts.Length,
            _ => 0,
        };
        Shape shape = experts == 0 ? new Shape(rows, columns) : new Shape(experts, rows / experts, columns);
        CudaMatrixPart[] held = role == WeightRole.WithinAttention
            ? [_weights.PlainMatrix(parts[0])]
            : _weights.Matrix(parts, Math.Max(1, experts));
        foreach (CudaMatrixPart part in held)
        {
            _kernels.Require(part.Format);
            _prefill.Require(part.Format);
        }

        return new CudaMatrix(this, parts[0].DataType, shape, held);
    }

    /// <inheritdoc/>
    /// <remarks>Up to <see cref="MaxGraphTokens"/> rows there are as many as a graph of that size fills.</remarks>
    public override Tensor Allocate(long rows, long columns)
    {
        _device.MakeCurrent();
        long held = rows <= MaxGraphTokens ? _graphs.BucketSize((int)Math.Max(1, rows)) : rows;
        long byteCount = held * columns * sizeof(float);
        CudaArena arena = new(_device, "activations", Math.Max(1, byteCount));
        return new CudaTensor(
            this, DataType.Float32, new Shape(held, columns), arena.Reserve("activations", byteCount), () => Release(arena));
    }

    public override CacheStorage CreateCache(CacheLayout layout) => new CudaCache(_device, layout);

    public override void Run(ForwardBatch batch, CacheStorage cache, bool isObserved, Action operators)
    {
        _device.MakeCurrent();
        bool isRecorded = UsesGraphs && !isObserved && batch.TokenCount <= MaxGraphTokens
            && batch.SequenceCount == batch.TokenCount && batch.LogitsRowCount == batch.TokenCount;
        int tokens = isRecorded ? _graphs.BucketSize(batch.TokenCount) : batch.TokenCount;
        _step = isRecorded ? _recordedStep : _eagerStep;
        bool hasMoved = _scratch.Reserve(ScratchSizes(batch, tokens));
        hasMoved |= _step.Reserve(batch, tokens) && isRecorded;
        if (hasMoved)
        {
            _graphs.Clear();
        }

        _step.Fill(batch, (CudaCache)cache, tokens);
        if (isRecorded)
        {
            _operators = operators;
            _graphs.Launch(tokens, _record);
        }
        else
        {
            operators();
        }
    }

    public override void Download(Tensor source, Span<float> destination) =>
        Receive(((CudaTensor)source).Region, destination);

    public override void Upload(ReadOnlySpan<float> source, Tensor destination) =>
        Send(source, ((CudaTensor)destination).Region);

    public override void Dispose()
    {
        // What was made last goes first.
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
    }

    // Vectors may come in any shape and are read in order.
    private static Shape VectorShape(Shape stored)
    {
        long last = stored.Rank == 0 ? 1 : stored[stored.Rank - 1];
        return new Shape(last == 0 ? 0 : stored.ElementCount / last, last);
    }

    private bool UsesTiles(int tokenCount) => _takesTiles && tokenCount >= FewestTileTokens;

    private int ExpertPieceTokens(int tokenCount) => UsesTiles(tokenCount) ? TilePieceTokens : RowPieceTokens;

    // Of the inputs of products on tensor cores.
    private int PartCount() => Activations switch
    {
        ActivationPrecision.Int8 => 1,
        ActivationPrecision.Auto when _step.TokenCount > MaxGraphTokens => 1,
        _ => TileKernels.MaxParts,
    };

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Add(part);
        return part;
    }

    private void Release(CudaArena arena)
    {
        // The backend may be gone before its buffers are.
        if (_owned.Count > 0)
        {
            _device.MakeCurrent();
            _graphs.Clear();
        }

        arena.Dispose();
    }
}
