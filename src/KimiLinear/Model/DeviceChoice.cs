using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>The backend a model runs on, and why it is that one.</summary>
internal sealed record DeviceChoice(ComputeBackend Backend, string Reason)
{
    /// <summary>The reason of a device that was named.</summary>
    public const string Named = "it was asked for";

    /// <summary>Makes the backend that the options ask for, or the fastest that takes the checkpoint.</summary>
    /// <exception cref="DeviceUnavailableException">The device that the options name cannot be used.</exception>
    public static DeviceChoice Make(KimiLinearConfig config, Checkpoint checkpoint, ModelLoadOptions options) =>
        options.Device.Kind switch
        {
            ComputeDeviceKind.Auto => Fastest(config, checkpoint, options),
            ComputeDeviceKind.Cuda => new DeviceChoice(OnCuda(config, options.Device.Index, options.Activations), Named),
            ComputeDeviceKind.TorchCuda => new DeviceChoice(OnTorchCuda(config, options.Device.Index, options), Named),
            ComputeDeviceKind.TorchCpu => new DeviceChoice(
                TorchBackends.OnCpu(config, new TorchForms(), options.ThreadCount, options.LibtorchFolder), Named),
            _ => new DeviceChoice(OnCpu(config, checkpoint, options), OfCpu(Named)),
        };

    private static DeviceChoice Fastest(KimiLinearConfig config, Checkpoint checkpoint, ModelLoadOptions options)
    {
        if (Try(() => OnCuda(config, checkpoint, options.Activations), out string whyNotCuda) is { } cuda)
        {
            return new DeviceChoice(cuda, "the first GPU can run it");
        }

        if (Try(() => OnTorchCuda(config, checkpoint, options), out string whyNotTorch) is { } torch)
        {
            return new DeviceChoice(torch, $"cuda:0 cannot run it: {whyNotCuda}");
        }

        string reason = whyNotTorch == whyNotCuda
            ? $"no GPU can run it: {whyNotCuda}"
            : $"cuda:0 cannot run it: {whyNotCuda} Neither can torch:cuda:0: {whyNotTorch}";
        return new DeviceChoice(OnCpu(config, checkpoint, options), OfCpu(reason));
    }

    private static string OfCpu(string reason) => CpuBackends.IsNarrowed
        ? $"{reason.TrimEnd('.')}. The processor has wider vectors than the program uses, by which it would be many times as fast: "
            + "name them by IlcInstructionSet where it is compiled ahead of time."
        : reason;

    private static ComputeBackend? Try(Func<ComputeBackend> make, out string whyNot)
    {
        try
        {
            whyNot = "";
            return make();
        }
        catch (Exception exception) when (exception is DeviceUnavailableException or DeviceMemoryException)
        {
            whyNot = exception.Message;
            return null;
        }
    }

    private static ComputeBackend OnCpu(KimiLinearConfig config, Checkpoint checkpoint, ModelLoadOptions options) =>
        CpuBackends.Create(config, options.ThreadCount, options.Activations, checkpoint.HasQuantizedWeights);

    private static CudaBackend OnCuda(KimiLinearConfig config, Checkpoint checkpoint, ActivationPrecision activations)
    {
        if (checkpoint.Tensors.FirstOrDefault(
            tensor => tensor.Shape.Rank == 2 && !CudaBackends.Takes(tensor)) is { } foreign)
        {
            throw new DeviceUnavailableException(
                $"The CUDA kernels do not take rows of {foreign.Shape[1]} weights stored as {foreign.DataType}, "
                + $"as '{foreign.Name}' has. They take bfloat16, 8-bit floats in rows of a multiple of 16, and weights packed by this library.");
        }

        // What does not fit a GPU may fit the memory of the machine.
        using CudaDevice device = CudaBackends.Open(0);
        (long free, long total) = device.Memory;
        return checkpoint.TotalBytes > free
            ? throw new DeviceMemoryException(device.Name, "the weights", checkpoint.TotalBytes, free, total)
            : OnCuda(config, 0, activations);
    }

    private static CudaBackend OnCuda(KimiLinearConfig config, int index, ActivationPrecision activations)
    {
        // Held meanwhile, because a context takes long to make.
        using CudaDevice device = CudaBackends.Open(index);
        string name = string.Create(CultureInfo.InvariantCulture, $"cuda:{index}");
        DeviceCheck.Require(name, config, small => CudaBackends.Create(small, CudaBackends.Open(index)));
        return CudaBackends.Create(config, CudaBackends.Open(index), activations);
    }

    private static ComputeBackend OnTorchCuda(KimiLinearConfig config, Checkpoint checkpoint, ModelLoadOptions options)
    {
        // The GPU first: where there is none, nothing else matters.
        NvidiaDriver.RequireDevice(0);
        return checkpoint.Tensors.Any(tensor => HostMatrix.IsBlockType(tensor.DataType))
            ? throw new DeviceUnavailableException("Torch would widen the quantised weights to float32.")
            : OnTorchCuda(config, 0, options);
    }

    private static ComputeBackend OnTorchCuda(KimiLinearConfig config, int index, ModelLoadOptions options) =>
        TorchBackends.OnCuda(config, new TorchForms(), index, options.LibtorchFolder);
}
