using System.Runtime.CompilerServices;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>The first use of TorchSharp: whatever is still wrong shows here.</summary>
internal static class TorchProbe
{
    /// <summary>Adds one and one on the CPU.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float Add() => Add(torch.CPU);

    /// <summary>Adds one and one on a CUDA device.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float AddOnCuda(int index) => Add(new torch.Device(DeviceType.CUDA, index));

    /// <summary>The number of CUDA devices that libtorch can use.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int CudaDeviceCount() => torch.cuda.is_available() ? torch.cuda.device_count() : 0;

    private static float Add(torch.Device device)
    {
        using torch.Tensor one = torch.ones(1, device: device);
        using torch.Tensor sum = one + one;
        return sum.item<float>();
    }
}
