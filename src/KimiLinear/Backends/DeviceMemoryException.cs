using System.Globalization;

namespace KimiLinear.Backends;

/// <summary>A GPU has not enough memory for what a model needs.</summary>
/// <remarks>Nothing is lost by it: what was loaded stays usable, and smaller requests can still be served.</remarks>
public sealed class DeviceMemoryException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="DeviceMemoryException"/> class.</summary>
    public DeviceMemoryException()
        : this("The device has not enough memory.")
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DeviceMemoryException"/> class.</summary>
    /// <param name="message">What was needed and for what.</param>
    public DeviceMemoryException(string message)
        : base(message)
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DeviceMemoryException"/> class.</summary>
    /// <param name="message">What was needed and for what.</param>
    /// <param name="innerException">The cause, or <see langword="null"/> when there is none.</param>
    public DeviceMemoryException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DeviceMemoryException"/> class.</summary>
    /// <param name="device">The device's name.</param>
    /// <param name="purpose">What the memory is for.</param>
    /// <param name="neededBytes">Bytes that were asked for.</param>
    /// <param name="freeBytes">Bytes that nobody held.</param>
    /// <param name="totalBytes">Bytes the device has.</param>
    internal DeviceMemoryException(string device, string purpose, long neededBytes, long freeBytes, long totalBytes)
        : base(string.Create(
            CultureInfo.InvariantCulture,
            $"{device} has not enough memory for {purpose}: {neededBytes:N0} bytes are wanted, "
            + $"{freeBytes:N0} of {totalBytes:N0} are free."))
    {
        NeededBytes = neededBytes;
        FreeBytes = freeBytes;
    }

    /// <summary>Gets the bytes that were asked for, or 0 when they are not known.</summary>
    public long NeededBytes { get; }

    /// <summary>Gets the bytes that nobody held, or 0 when they are not known.</summary>
    public long FreeBytes { get; }
}
