namespace KimiLinear.Configuration;

/// <summary>A configuration file is damaged, or describes a model that this library cannot run.</summary>
/// <remarks>The message names the key, its value and what is accepted instead.</remarks>
public sealed class ModelConfigurationException : ModelFormatException
{
    /// <summary>Initializes a new instance of the <see cref="ModelConfigurationException"/> class.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="filePath">The file concerned, or <see langword="null"/> when no single file is.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public ModelConfigurationException(string message, string? filePath = null, Exception? innerException = null)
        : base(message, filePath, innerException)
    {
    }
}
