using KimiLinear.Configuration;

namespace KimiLinear.Backends;

/// <summary>Chooses the CPU backend for this machine.</summary>
internal static class CpuBackends
{
    public static ComputeBackend Create(KimiLinearConfig config, int threadCount) => new ReferenceBackend(config);
}
