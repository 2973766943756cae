using KimiLinear.Backends;

namespace KimiLinear.Model;

/// <summary>The devices of this machine.</summary>
public static class ComputeDevices
{
    /// <summary>Tries every kind of device.</summary>
    /// <param name="libtorchFolder">
    /// Where to look for libtorch, as <see cref="ModelLoadOptions.LibtorchFolder"/>; <see langword="null"/> for the usual places.
    /// </param>
    /// <returns>
    /// The processor, the first GPU by kernels of this library and by way of torch, the processor by way of torch, and last what
    /// <see cref="ComputeDevice.Auto"/> takes for a model in bfloat16 that fits.
    /// </returns>
    /// <remarks>Loads libtorch when there is one, which takes about a second and cannot be undone.</remarks>
    public static IReadOnlyList<ComputeDeviceStatus> Survey(string? libtorchFolder = null)
    {
        ComputeDeviceStatus cpu = new(
            ComputeDevice.Cpu, true, $"{Environment.ProcessorCount} processors, {CpuBackends.NameOf(CpuBackends.Widest)}");
        ComputeDeviceStatus cuda = Try(ComputeDevice.Cuda(), DescribeGpu);
        ComputeDeviceStatus torchCuda = Try(ComputeDevice.TorchCuda(), () =>
        {
            TorchBackends.RequireCuda(0, libtorchFolder);
            return "NVIDIA GPU by way of TorchSharp";
        });
        ComputeDeviceStatus torchCpu = Try(ComputeDevice.TorchCpu, () =>
        {
            TorchRuntime.Load(libtorchFolder);
            return "the processor by way of TorchSharp";
        });
        ComputeDeviceStatus[] fastestFirst = [cuda, torchCuda, cpu];
        ComputeDevice chosen = fastestFirst.First(status => status.IsAvailable).Device;
        return [cpu, cuda, torchCuda, torchCpu, new ComputeDeviceStatus(ComputeDevice.Auto, true, $"takes {chosen}")];
    }

    private static string DescribeGpu()
    {
        using CudaDevice device = CudaBackends.Open(0);
        (long free, long total) = device.Memory;
        const double Gibibyte = 1L << 30;
        return FormattableString.Invariant(
            $"{device.Name}, {total / Gibibyte:F1} GiB of memory, {free / Gibibyte:F1} free, kernels for {device.Architecture}");
    }

    private static ComputeDeviceStatus Try(ComputeDevice device, Func<string> describe)
    {
        try
        {
            return new ComputeDeviceStatus(device, true, describe());
        }
        catch (DeviceUnavailableException exception)
        {
            return new ComputeDeviceStatus(device, false, exception.Message);
        }
    }
}
