using BenchmarkDotNet.Attributes;
using KimiLinear.Backends;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace KimiLinear.Benchmarks;

/// <summary>The output projection of a Kimi Delta layer, y += W·x, by format, tokens and threads.</summary>
/// <remarks>
/// As many matrices take turns as no cache holds, so that one token is bound by memory. A step reads 9.4 million weights: 18.9
/// MB in bfloat16, 10 in 8 bits, 5.3 in 4.
/// </remarks>
[MemoryDiagnoser]
public class MatrixProductBenchmarks
{
    private const float Deviation = 0.02f;

    // 0.4 GB in bfloat16.
    private const int MatrixCount = 20;

    private readonly List<IDisposable> _owned = [];
    private readonly Tensor[] _weights = new Tensor[MatrixCount];
    private ComputeBackend _backend = null!;
    private Tensor _input = null!;
    private Tensor _output = null!;
    private int _next;

    /// <summary>Gets or sets how the weights are stored.</summary>
    [Params(DataType.BFloat16, DataType.PackedQ8, DataType.PackedQ4)]
    public DataType Format { get; set; }

    /// <summary>Gets or sets the number of rows of x.</summary>
    [Params(1, 4, 32, 512)]
    public int Tokens { get; set; }

    /// <summary>Gets or sets the number of threads.</summary>
    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    /// <summary>Gets one thread, and as many as there are processors.</summary>
    public static IEnumerable<int> ThreadCounts => new[] { 1, Environment.ProcessorCount }.Distinct();

    /// <summary>Makes the weights.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        int rows = PublishedShape.Config.HiddenDim;
        int columns = PublishedShape.Config.DeltaDim;
        // As replies and prompts are multiplied.
        ActivationPrecision activations = Tokens < 32 ? ActivationPrecision.Int16 : ActivationPrecision.Int8;
        _backend = Own(CpuBackends.Create(PublishedShape.Config, Threads, activations, hasQuantizedWeights: true));
        for (int i = 0; i < MatrixCount; i++)
        {
            _weights[i] = Own(_backend.Bind(WeightRole.Projection, RandomMatrix(rows, columns, (ulong)i)));
        }

        _input = Own(_backend.Allocate(Tokens, columns));
        _output = Own(_backend.Allocate(Tokens, rows));
        ((HostBuffer)_input).Span.Fill(1);
        ((HostBuffer)_output).Span.Clear();
    }

    /// <summary>Frees everything.</summary>
    [GlobalCleanup]
    public void CleanUp() => _owned.ForEach(owned => owned.Dispose());

    /// <summary>Multiplies with the next matrix.</summary>
    [Benchmark]
    public void ProjectAdd()
    {
        _backend.ProjectAdd(_input, _weights[_next], Tokens, _output);
        _next = (_next + 1) % MatrixCount;
    }

    private unsafe StoredTensor RandomMatrix(int rows, int columns, ulong seed)
    {
        Shape shape = new(rows, columns);
        NativeBuffer memory = Own(new NativeBuffer(PackedLayout.IsPacked(Format)
            ? PackedLayout.ByteCount(Format, shape)
            : shape.ElementCount * Format.SizeInBytes()));
        StoredTensor matrix = new("matrix", Format, shape, memory.Data, "random");
        for (long piece = 0; piece < RandomValues.PieceCount(matrix); piece++)
        {
            RandomValues.FillPiece(matrix, piece, mean: 0, Deviation, (seed << 32) | (ulong)piece);
        }

        return matrix;
    }

    private T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
