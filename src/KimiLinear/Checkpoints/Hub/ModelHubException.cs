using System.Net;

namespace KimiLinear.Checkpoints;

/// <summary>A model could not be found in the cache or fetched from the hub.</summary>
/// <remarks>The message says what is wrong and what to do about it.</remarks>
public sealed class ModelHubException : IOException
{
    /// <summary>Initializes a new instance of the <see cref="ModelHubException"/> class.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public ModelHubException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Gets the status with which a server refused; <see langword="null"/> when that is not the matter.</summary>
    public HttpStatusCode? StatusCode { get; init; }

    /// <summary>Whether the same request may succeed a little later.</summary>
    internal bool IsTransient { get; init; }

    /// <summary>How long the server wants to be left alone; <see langword="null"/> when it does not say.</summary>
    internal TimeSpan? RetryAfter { get; init; }
}
