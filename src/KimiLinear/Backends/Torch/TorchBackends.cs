using System.Runtime.CompilerServices;
using KimiLinear.Configuration;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>Makes backends on TorchSharp once libtorch is there.</summary>
/// <remarks>Only the last methods name a type of TorchSharp: the runtime looks for the assembly when it compiles a method.</remarks>
internal static class TorchBackends
{
    /// <summary>A backend on the CPU. Torch has one number of threads for the whole process, which this sets.</summary>
    /// <exception cref="DeviceUnavailableException">TorchSharp or libtorch is missing or does not work.</exception>
    public static ComputeBackend OnCpu(KimiLinearConfig config, TorchForms forms, int threadCount, string? libtorchFolder)
    {
        TorchRuntime.Load(libtorchFolder);
        return CreateOnCpu(config, forms, threadCount);
    }

    /// <summary>A backend on an NVIDIA GPU.</summary>
    /// <exception cref="DeviceUnavailableException">The driver, the GPU, TorchSharp or libtorch is missing or does not work.</exception>
    public static ComputeBackend OnCuda(KimiLinearConfig config, TorchForms forms, int index, string? libtorchFolder)
    {
        RequireCuda(index, libtorchFolder);
        return CreateOnCuda(config, forms, index);
    }

    /// <summary>Checks that a backend can be made on an NVIDIA GPU.</summary>
    /// <exception cref="DeviceUnavailableException">The driver, the GPU, TorchSharp or libtorch is missing or does not work.</exception>
    public static void RequireCuda(int index, string? libtorchFolder)
    {
        // The driver first: on a machine without one, libtorch is not even looked for.
        NvidiaDriver.RequireDevice(index);
        TorchRuntime.Load(libtorchFolder);
        TorchRuntime.RequireCuda(index);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TorchBackend CreateOnCpu(KimiLinearConfig config, TorchForms forms, int threadCount)
    {
        torch.set_num_threads(threadCount);
        return new TorchBackend(config, torch.CPU, forms);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TorchBackend CreateOnCuda(KimiLinearConfig config, TorchForms forms, int index) =>
        new(config, torch.device(DeviceType.CUDA, index), forms);
}
