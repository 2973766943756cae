using System.Runtime.CompilerServices;
using KimiLinear.Configuration;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>Makes backends on TorchSharp once libtorch is there.</summary>
/// <remarks>Only the last method names a type of TorchSharp: the runtime looks for the assembly when it compiles a method.</remarks>
internal static class TorchBackends
{
    /// <summary>A backend on the CPU.</summary>
    /// <exception cref="DeviceUnavailableException">TorchSharp or libtorch is missing or does not work.</exception>
    public static ComputeBackend OnCpu(KimiLinearConfig config, TorchForms forms, string? libtorchFolder)
    {
        TorchRuntime.Load(libtorchFolder);
        return Create(config, cudaIndex: null, forms);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TorchBackend Create(KimiLinearConfig config, int? cudaIndex, TorchForms forms) => new(
        config,
        cudaIndex is null ? torch.CPU : torch.device(DeviceType.CUDA, cudaIndex.Value),
        forms);
}
