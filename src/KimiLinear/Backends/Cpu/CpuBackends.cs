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

    public static ComputeBackend Create(KimiLinearConfig config, int threadCount) => Create(config, threadCount, Widest);

    public static ComputeBackend Create(KimiLinearConfig config, int threadCount, SimdWidth width) => new ReferenceBackend(config);
}
