using System.Globalization;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Makes the backend on our own kernels, and says why where it cannot be made.</summary>
internal static class CudaBackends
{
    /// <summary>Whether the kernels multiply a matrix as it is stored.</summary>
    public static bool Takes(StoredTensor matrix) =>
        CudaFormats.Of(matrix.DataType) is { } format && matrix.Shape[1] % format.ColumnGranule() == 0;

    /// <summary>Opens a GPU; the caller disposes it.</summary>
    /// <exception cref="DeviceUnavailableException">The driver or the GPU is missing, too old, or does not work.</exception>
    public static CudaDevice Open(int index)
    {
        NvidiaDriver.RequireDevice(index);
        try
        {
            return new CudaDevice(CudaDriver.Load(), index);
        }
        catch (CudaException exception)
        {
            throw new DeviceUnavailableException(
                string.Create(CultureInfo.InvariantCulture, $"CUDA device {index} does not work: {exception.Message}"), exception);
        }
    }

    /// <summary>A backend on an open GPU, which it disposes; the GPU is disposed when that fails, too.</summary>
    /// <exception cref="DeviceUnavailableException">The driver does not take the kernels.</exception>
    /// <exception cref="DeviceMemoryException">Not even the tables of a step fit the GPU.</exception>
    public static CudaBackend Create(
        KimiLinearConfig config, CudaDevice device, ActivationPrecision activations = ActivationPrecision.Auto)
    {
        try
        {
            return new CudaBackend(config, device) { Activations = activations };
        }
        catch (CudaException exception)
        {
            throw new DeviceUnavailableException($"{device.Name} cannot be used: {exception.Message}", exception);
        }
    }
}
