using System.Runtime.Intrinsics;
using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Chooses the CPU backend for a machine.</summary>
internal static class CpuBackends
{
    /// <summary>The widest vectors this process may use.</summary>
    public static SimdWidth Widest =>
        Vector512.IsHardwareAccelerated ? SimdWidth.Bits512
        : Vector256.IsHardwareAccelerated ? SimdWidth.Bits256
        : Vector128.IsHardwareAccelerated ? SimdWidth.Bits128
        : SimdWidth.Scalar;

    public static ComputeBackend Create(KimiLinearConfig config, int threadCount) =>
        Create(config, threadCount, Widest, new CpuForms());

    public static ComputeBackend Create(KimiLinearConfig config, int threadCount, SimdWidth width, CpuForms forms) => width switch
    {
        SimdWidth.Bits512 => new CpuBackend<Simd512, Vector512<float>>(config, threadCount, forms),
        SimdWidth.Bits256 => new CpuBackend<Simd256, Vector256<float>>(config, threadCount, forms),
        SimdWidth.Bits128 => new CpuBackend<Simd128, Vector128<float>>(config, threadCount, forms),
        _ => new CpuBackend<SimdScalar, float>(config, threadCount, forms),
    };
}
