using KimiLinear.Configuration;

namespace KimiLinear.Tokenization;

/// <summary>The vocabulary or the tokenizer's settings are damaged, so text cannot be turned into tokens.</summary>
public sealed class TokenizerFormatException : ModelFormatException
{
    /// <summary>Initializes a new instance of the <see cref="TokenizerFormatException"/> class.</summary>
    /// <param name="message">What is wrong, where, and what to do.</param>
    /// <param name="filePath">The file concerned, or <see langword="null"/> when no single file is.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public TokenizerFormatException(string message, string? filePath = null, Exception? innerException = null)
        : base(message, filePath, innerException)
    {
    }
}
