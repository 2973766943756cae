using KimiLinear.Backends;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>The devices of this machine.</summary>
public static class ComputeDevices
{
    /// <summary>Tries every kind of device.</summary>
    /// <param name="libtorchFolder">
    /// Where to look for libtorch, as <see cref="ModelLoadOptions.LibtorchFolder"/>; <see langword="null"/> for the usual places.
    /// </param>
    /// <returns>
    /// The processor, the processor by way of torch, the first GPU by way of torch, and last what
    /// <see cref="ComputeDevice.Auto"/> takes for a model whose weights are not quantised.
    /// </returns>
    /// <remarks>Loads libtorch when there is one, which takes about a second and cannot be undone.</remarks>
    public static IReadOnlyList<ComputeDeviceStatus> Survey(string? libtorchFolder = null)
    {
        ComputeDeviceStatus cuda = Try(ComputeDevice.TorchCuda(), "NVIDIA GPU by way of TorchSharp", () => TorchBackends.RequireCuda(0, libtorchFolder));
        return
        [
            new ComputeDeviceStatus(
                ComputeDevice.Cpu, true, $"{Environment.ProcessorCount} processors, {CpuBackends.NameOf(CpuBackends.Widest)}"),
            Try(ComputeDevice.TorchCpu, "the processor by way of TorchSharp", () => TorchRuntime.Load(libtorchFolder)),
            cuda,
            new ComputeDeviceStatus(
                ComputeDevice.Auto, true, cuda.IsAvailable ? $"takes {cuda.Device}" : "takes cpu, since torch:cuda:0 cannot be used"),
        ];
    }

    /// <summary>Makes the backend of a device.</summary>
    internal static ComputeBackend CreateBackend(KimiLinearConfig config, bool isQuantized, ModelLoadOptions options)
    {
        ComputeDevice device = options.Device == ComputeDevice.Auto ? Choose(isQuantized, options.LibtorchFolder) : options.Device;
        return device.Kind switch
        {
            ComputeDeviceKind.TorchCpu => TorchBackends.OnCpu(
                config, new TorchForms(), options.ThreadCount, options.LibtorchFolder),
            ComputeDeviceKind.TorchCuda => TorchBackends.OnCuda(config, new TorchForms(), device.Index, options.LibtorchFolder),
            _ => CpuBackends.Create(config, options.ThreadCount, options.Activations, isQuantized),
        };
    }

    // Torch would widen quantised weights to float32.
    private static ComputeDevice Choose(bool isQuantized, string? libtorchFolder) =>
        !isQuantized && Try(ComputeDevice.TorchCuda(), "", () => TorchBackends.RequireCuda(0, libtorchFolder)).IsAvailable
            ? ComputeDevice.TorchCuda()
            : ComputeDevice.Cpu;

    private static ComputeDeviceStatus Try(ComputeDevice device, string detail, Action require)
    {
        try
        {
            require();
            return new ComputeDeviceStatus(device, true, detail);
        }
        catch (DeviceUnavailableException exception)
        {
            return new ComputeDeviceStatus(device, false, exception.Message);
        }
    }
}
