namespace KimiLinear.Configuration;

/// <summary>A file of a model cannot be used: it is damaged, incomplete, or describes what this library cannot run.</summary>
/// <remarks>The message says what is wrong, in which file, and what to do about it.</remarks>
public class ModelFormatException : Exception
{
    /// <summary>Initializes a new instance of the <see cref="ModelFormatException"/> class.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="filePath">The file concerned, or <see langword="null"/> when no single file is.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public ModelFormatException(string message, string? filePath = null, Exception? innerException = null)
        : base(message, innerException)
    {
        FilePath = filePath;
    }

    /// <summary>Gets the file concerned, or <see langword="null"/> when no single file is.</summary>
    public string? FilePath { get; }
}
