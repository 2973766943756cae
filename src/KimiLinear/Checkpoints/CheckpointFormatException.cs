using KimiLinear.Configuration;

namespace KimiLinear.Checkpoints;

/// <summary>A weight file is damaged, incomplete, or does not fit the model's configuration.</summary>
public sealed class CheckpointFormatException : ModelFormatException
{
    /// <summary>Initializes a new instance of the <see cref="CheckpointFormatException"/> class.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="filePath">The file concerned, or <see langword="null"/> when no single file is.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public CheckpointFormatException(string message, string? filePath = null, Exception? innerException = null)
        : base(message, filePath, innerException)
    {
    }
}
