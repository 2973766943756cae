using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Chooses the CPU backend for a machine.</summary>
internal static class CpuBackends
{
    /// <summary>The widest vectors this process may use, and of those the ones with more instructions.</summary>
    public static SimdWidth Widest =>
        VnniKernels.Instance is not null ? SimdWidth.Bits512Vnni
        : Vector512.IsHardwareAccelerated ? SimdWidth.Bits512
        : Vector256.IsHardwareAccelerated ? SimdWidth.Bits256
        : Vector128.IsHardwareAccelerated ? SimdWidth.Bits128
        : SimdWidth.Scalar;

    /// <summary>Whether the processor has wider vectors than this process may use, by which it would compute many times as fast.</summary>
    public static bool IsNarrowed => Widest <= SimdWidth.Bits128 && Processor.HasAvx2;

    /// <summary>A width as people read it.</summary>
    public static string NameOf(SimdWidth width) => width switch
    {
        SimdWidth.Bits512Vnni => "512-bit vectors with VNNI",
        SimdWidth.Bits512 => "512-bit vectors",
        SimdWidth.Bits256 => "256-bit vectors",
        SimdWidth.Bits128 => "128-bit vectors",
        _ => "scalar",
    };

    /// <summary>The backend for a model whose weights are quantised or not.</summary>
    public static ComputeBackend Create(
        KimiLinearConfig config, int threadCount, ActivationPrecision activations, bool hasQuantizedWeights)
    {
        // Integers in attention cost less than a hundredth of what quantised weights do; beside exact weights they would stand out.
        bool integers = hasQuantizedWeights && activations != ActivationPrecision.Float32;
        CpuForms forms = new()
        {
            Activations = activations,
            AttentionArithmetic = integers ? AttentionArithmetic.Int16 : AttentionArithmetic.Float32,
        };
        return Create(config, threadCount, Widest, forms);
    }

    public static ComputeBackend Create(KimiLinearConfig config, int threadCount, SimdWidth width, CpuForms forms)
    {
        // Before any kernel is compiled.
        RuntimeHelpers.RunClassConstructor(typeof(Processor).TypeHandle);
        IntegerKernels integers = IntegersOf(width);
        string vectors = NameOf(width);
        return width switch
        {
            SimdWidth.Bits512 or SimdWidth.Bits512Vnni =>
                new CpuBackend<Simd512, Vector512<float>>(config, threadCount, forms, integers, vectors),
            SimdWidth.Bits256 => new CpuBackend<Simd256, Vector256<float>>(config, threadCount, forms, integers, vectors),
            SimdWidth.Bits128 => new CpuBackend<Simd128, Vector128<float>>(config, threadCount, forms, integers, vectors),
            _ => new CpuBackend<SimdScalar, float>(config, threadCount, forms, integers, vectors),
        };
    }

    /// <summary>The kernels for quantised weights in vectors of a width.</summary>
    public static IntegerKernels IntegersOf(SimdWidth width) => width switch
    {
        SimdWidth.Bits512Vnni => IntegersOf(
            VnniKernels.Instance ?? throw new PlatformNotSupportedException("This process has no AVX-512 VNNI.")),
        SimdWidth.Bits512 => IntegersOf(vnni: null),
        SimdWidth.Bits256 => new IntegerKernels<Simd256, Vector256<float>, Integer256, Vector256<int>>(
            new StripKernels<Simd256, Vector256<float>, Integer256, Vector256<int>>()),
        SimdWidth.Bits128 => new IntegerKernels<Simd128, Vector128<float>, Integer128, Vector128<int>>(
            new StripKernels<Simd128, Vector128<float>, Integer128, Vector128<int>>()),

        // Segments have 128 bits; the runtime computes with them on any machine.
        _ => new IntegerKernels<SimdScalar, float, IntegerScalar, int>(
            new StripKernels<Simd128, Vector128<float>, Integer128, Vector128<int>>()),
    };

    private static IntegerKernels<Simd512, Vector512<float>, Integer512, Vector512<int>> IntegersOf(VnniKernels? vnni) =>
        new(new StripKernels<Simd512, Vector512<float>, Integer512, Vector512<int>>(vnni), vnni);
}
