namespace KimiLinear.Backends;

/// <summary>The device that was asked for cannot be used on this machine; the message says what is missing.</summary>
public sealed class DeviceUnavailableException : Exception
{
    /// <summary>Initialises the exception without a message of its own.</summary>
    public DeviceUnavailableException()
    {
    }

    /// <summary>Initialises the exception.</summary>
    /// <param name="message">Which device is unavailable, why, and what to do.</param>
    public DeviceUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>Initialises the exception.</summary>
    /// <param name="message">Which device is unavailable, why, and what to do.</param>
    /// <param name="innerException">What failed underneath.</param>
    public DeviceUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
