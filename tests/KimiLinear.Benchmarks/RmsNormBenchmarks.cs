using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Benchmarks;

/// <summary>RMS norm of rows of the published width.</summary>
public unsafe class RmsNormBenchmarks
{
    private const int RowCount = 64;
    private const int Length = 2304;

    private NativeBuffer _memory = null!;
    private float* _rows;
    private float* _weight;
    private float* _output;
    private Action _run = null!;

    /// <summary>Makes the rows.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        const int rowsLength = RowCount * Length;
        _memory = new NativeBuffer((rowsLength + Length + Length) * sizeof(float));
        new Span<float>(_memory.Data, rowsLength + Length + Length).Fill(1);
        _rows = (float*)_memory.Data;
        _weight = _rows + rowsLength;
        _output = _weight + Length;
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
    public void CleanUp() => _memory.Dispose();

    /// <summary>Normalises one row.</summary>
    [Benchmark(OperationsPerInvoke = RowCount)]
    public void RmsNorm() => _run();

    private void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < RowCount; row++)
        {
            VectorKernel<TSimd, TVector>.RmsNorm(
                _rows + ((long)row * Length), _weight, PublishedShape.Config.RmsNormEpsilon, _output, Length);
        }
    }
}
