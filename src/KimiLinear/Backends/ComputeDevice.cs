using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace KimiLinear.Backends;

/// <summary>What a model computes on.</summary>
/// <remarks>Written <c>auto</c>, <c>cpu</c>, <c>cuda:0</c>, <c>torch:cpu</c> or <c>torch:cuda:0</c>.</remarks>
public sealed record ComputeDevice
{
    private const string CudaPrefix = "cuda";
    private const string TorchCudaPrefix = "torch:cuda";

    private ComputeDevice(ComputeDeviceKind kind, int index = 0)
    {
        Kind = kind;
        Index = index;
    }

    /// <summary>Gets the choice of the fastest device that can run the model.</summary>
    /// <remarks>
    /// The first NVIDIA GPU by kernels of this library, if it takes the model's weights; else by way of torch, if they are not
    /// quantised, since torch would take up to seven times their memory; else the processor. What was chosen and why stands in
    /// the model's <c>DeviceDescription</c> and <c>DeviceReason</c>.
    /// </remarks>
    public static ComputeDevice Auto { get; } = new(ComputeDeviceKind.Auto);

    /// <summary>Gets the processor, in pure managed code: no native library is loaded.</summary>
    public static ComputeDevice Cpu { get; } = new(ComputeDeviceKind.Cpu);

    /// <summary>Gets the processor by way of TorchSharp; for comparison with <see cref="TorchCuda"/>.</summary>
    public static ComputeDevice TorchCpu { get; } = new(ComputeDeviceKind.TorchCpu);

    /// <summary>Gets the kind.</summary>
    public ComputeDeviceKind Kind { get; }

    /// <summary>Gets which of several GPUs, from 0; 0 for other kinds.</summary>
    public int Index { get; }

    /// <summary>An NVIDIA GPU by kernels of this library; NVIDIA's driver is all it needs.</summary>
    /// <param name="index">Which one, from 0, among those the process may see.</param>
    /// <returns>The device, which need not exist.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static ComputeDevice Cuda(int index = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new ComputeDevice(ComputeDeviceKind.Cuda, index);
    }

    /// <summary>An NVIDIA GPU by way of TorchSharp.</summary>
    /// <param name="index">Which one, from 0, among those the process may see.</param>
    /// <returns>The device, which need not exist.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The index is negative.</exception>
    public static ComputeDevice TorchCuda(int index = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new ComputeDevice(ComputeDeviceKind.TorchCuda, index);
    }

    /// <summary>Reads a device as it is written on a command line.</summary>
    /// <param name="text">
    /// <c>auto</c>, <c>cpu</c>, <c>cuda</c> for the first GPU or <c>cuda:N</c>, <c>torch:cpu</c>, <c>torch:cuda</c> or <c>torch:cuda:N</c>.
    /// </param>
    /// <returns>The device, which need not exist.</returns>
    /// <exception cref="FormatException">The text is none of these.</exception>
    public static ComputeDevice Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out ComputeDevice? device)
            ? device
            : throw new FormatException($"A device is auto, cpu, cuda:N, torch:cpu or torch:cuda:N with N from 0, but not '{text}'.");
    }

    /// <summary>Reads a device as <see cref="Parse"/> does.</summary>
    /// <param name="text">The text.</param>
    /// <param name="device">The device, or <see langword="null"/> when the text names none.</param>
    /// <returns>Whether the text names a device.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out ComputeDevice? device)
    {
        device = text switch
        {
            "auto" => Auto,
            "cpu" => Cpu,
            "torch:cpu" => TorchCpu,
            CudaPrefix => Cuda(),
            TorchCudaPrefix => TorchCuda(),
            _ when TryReadIndex(text, CudaPrefix, out int index) => Cuda(index),
            _ when TryReadIndex(text, TorchCudaPrefix, out int index) => TorchCuda(index),
            _ => null,
        };
        return device is not null;
    }

    /// <summary>Writes the device as <see cref="Parse"/> reads it.</summary>
    /// <returns>For example <c>torch:cuda:0</c>.</returns>
    public override string ToString() => Kind switch
    {
        ComputeDeviceKind.Auto => "auto",
        ComputeDeviceKind.Cpu => "cpu",
        ComputeDeviceKind.TorchCpu => "torch:cpu",
        ComputeDeviceKind.Cuda => string.Create(CultureInfo.InvariantCulture, $"{CudaPrefix}:{Index}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{TorchCudaPrefix}:{Index}"),
    };

    private static bool TryReadIndex(string? text, string prefix, out int index)
    {
        index = 0;
        return text?.StartsWith(prefix + ":", StringComparison.Ordinal) == true
            && int.TryParse(text.AsSpan(prefix.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out index);
    }
}
