namespace KimiLinear.Backends;

/// <summary>The device a model should run on cannot be used: a package, a native library, a driver or the device itself is missing.</summary>
public sealed class DeviceUnavailableException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="DeviceUnavailableException"/> class.</summary>
    public DeviceUnavailableException()
        : this("The device the model should run on is not available.")
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DeviceUnavailableException"/> class.</summary>
    /// <param name="message">What is missing, where it was looked for, and what to do.</param>
    public DeviceUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Initializes a new instance of the <see cref="DeviceUnavailableException"/> class.</summary>
    /// <param name="message">What is missing, where it was looked for, and what to do.</param>
    /// <param name="innerException">The cause, or <see langword="null"/> when there is none.</param>
    public DeviceUnavailableException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
