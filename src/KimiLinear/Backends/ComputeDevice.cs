using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace KimiLinear.Backends;

/// <summary>What a model computes on.</summary>
/// <remarks>Written <c>auto</c>, <c>cpu</c>, <c>torch:cpu</c> or <c>torch:cuda:0</c>.</remarks>
public sealed record ComputeDevice
{
    private const string CudaPrefix = "torch:cuda";

    private ComputeDevice(ComputeDeviceKind kind, int index = 0)
    {
        Kind = kind;
        Index = index;
    }

    /// <summary>Gets the choice of the fastest device: the first NVIDIA GPU where torch can use it, else the processor.</summary>
    /// <remarks>Models with quantised weights are for the processor, since torch would take up to seven times their memory.</remarks>
    public static ComputeDevice Auto { get; } = new(ComputeDeviceKind.Auto);

    /// <summary>Gets the processor, in pure managed code: no native library is loaded.</summary>
    public static ComputeDevice Cpu { get; } = new(ComputeDeviceKind.Cpu);

    /// <summary>Gets the processor by way of TorchSharp; for comparison with <see cref="TorchCuda"/>.</summary>
    public static ComputeDevice TorchCpu { get; } = new(ComputeDeviceKind.TorchCpu);

    /// <summary>Gets the kind.</summary>
    public ComputeDeviceKind Kind { get; }

    /// <summary>Gets which of several GPUs, from 0; 0 for other kinds.</summary>
    public int Index { get; }

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
    /// <param name="text"><c>auto</c>, <c>cpu</c>, <c>torch:cpu</c>, <c>torch:cuda</c> for the first GPU, or <c>torch:cuda:N</c>.</param>
    /// <returns>The device, which need not exist.</returns>
    /// <exception cref="FormatException">The text is none of these.</exception>
    public static ComputeDevice Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out ComputeDevice? device)
            ? device
            : throw new FormatException($"A device is auto, cpu, torch:cpu or torch:cuda:N with N from 0, but not '{text}'.");
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
            CudaPrefix => TorchCuda(),
            _ when text?.StartsWith(CudaPrefix + ":", StringComparison.Ordinal) == true
                && int.TryParse(
                    text.AsSpan(CudaPrefix.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                => TorchCuda(index),
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
        _ => string.Create(CultureInfo.InvariantCulture, $"{CudaPrefix}:{Index}"),
    };
}
