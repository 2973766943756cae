namespace KimiLinear.Scheduling;

/// <summary>An engine refuses a request because too many wait already; a server answers 429.</summary>
public sealed class EngineOverloadedException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="EngineOverloadedException"/> class.</summary>
    public EngineOverloadedException()
    {
    }

    /// <summary>Initializes a new instance of the <see cref="EngineOverloadedException"/> class.</summary>
    /// <param name="message">What happened, for people.</param>
    public EngineOverloadedException(string message)
        : base(message)
    {
    }

    /// <summary>Initializes a new instance of the <see cref="EngineOverloadedException"/> class.</summary>
    /// <param name="message">What happened, for people.</param>
    /// <param name="innerException">What caused it, or <see langword="null"/>.</param>
    public EngineOverloadedException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Initializes a new instance of the <see cref="EngineOverloadedException"/> class.</summary>
    /// <param name="message">What happened, for people.</param>
    /// <param name="retryAfter">When a place may be free.</param>
    public EngineOverloadedException(string message, TimeSpan retryAfter)
        : base(message) => RetryAfter = retryAfter;

    /// <summary>Gets an estimate of when a place will be free, at least a second.</summary>
    public TimeSpan RetryAfter { get; } = TimeSpan.FromSeconds(1);
}
