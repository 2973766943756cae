namespace KimiLinear.Backends;

/// <summary>The kinds of <see cref="ComputeDevice"/>.</summary>
public enum ComputeDeviceKind
{
    /// <summary>The fastest there is.</summary>
    Auto,

    /// <summary>The processor, in pure managed code.</summary>
    Cpu,

    /// <summary>The processor, by TorchSharp and libtorch.</summary>
    TorchCpu,

    /// <summary>An NVIDIA GPU, by TorchSharp and libtorch.</summary>
    TorchCuda,

    /// <summary>An NVIDIA GPU, by kernels of this library; the driver is all it needs.</summary>
    Cuda,
}
