using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>A file that belongs to pruning, as an observation, a plan or calibration data, cannot be used.</summary>
/// <remarks>The message says what is wrong, in which file and where in it, and what to do about it.</remarks>
public sealed class PruningFileException : ModelFormatException
{
    /// <summary>Initializes a new instance of the <see cref="PruningFileException"/> class.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="filePath">The file concerned, or <see langword="null"/> when no single file is.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public PruningFileException(string message, string? filePath = null, Exception? innerException = null)
        : base(message, filePath, innerException)
    {
    }
}
