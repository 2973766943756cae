using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Benchmarks;

/// <summary>The gated delta rule of all heads of one layer, on one thread.</summary>
public unsafe class DeltaRuleBenchmarks
{
    private const int HeadCount = 32;
    private const int HeadDim = 128;

    // Steps of one token read and write 2.1 MB of states.
    private const int StateLength = HeadDim * HeadDim;

    private readonly List<NativeBuffer> _memory = [];
    private Action _run = null!;
    private float* _rows;
    private float* _decay;
    private float* _beta;
    private float* _states;
    private float* _scratch;
    private float* _output;

    /// <summary>Gets or sets the number of tokens of a run.</summary>
    [Params(1, 64)]
    public int Tokens { get; set; }

    /// <summary>Makes keys of length one, weak decays and empty states.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _rows = Allocate(Tokens * HeadDim, 1 / MathF.Sqrt(HeadDim));
        _decay = Allocate(Tokens * HeadDim, 0.99f);
        _beta = Allocate(Tokens, 0.5f);
        _states = Allocate(HeadCount * StateLength, 0);
        _scratch = Allocate((int)DeltaKernel<SimdScalar, float>.ScratchLength(Tokens, HeadDim), 0);
        _output = Allocate(Tokens * HeadDim, 0);
        _run = CpuBackends.Widest switch
        {
            SimdWidth.Bits512 or SimdWidth.Bits512Vnni => Run<Simd512, Vector512<float>>,
            SimdWidth.Bits256 => Run<Simd256, Vector256<float>>,
            SimdWidth.Bits128 => Run<Simd128, Vector128<float>>,
            _ => Run<SimdScalar, float>,
        };
    }

    /// <summary>Frees everything.</summary>
    [GlobalCleanup]
    public void CleanUp() => _memory.ForEach(memory => memory.Dispose());

    /// <summary>Runs all heads, one after the other.</summary>
    [Benchmark]
    public void Recurrence() => _run();

    private void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int head = 0; head < HeadCount; head++)
        {
            DeltaKernel<TSimd, TVector>.Run(
                q: _rows,
                k: _rows,
                v: _rows,
                _decay,
                _beta,
                Tokens,
                HeadDim,
                _states + ((long)head * StateLength),
                _scratch,
                _output,
                HeadDim);
        }
    }

    private float* Allocate(int length, float value)
    {
        NativeBuffer memory = new((long)length * sizeof(float));
        _memory.Add(memory);
        new Span<float>(memory.Data, length).Fill(value);
        return (float*)memory.Data;
    }
}
