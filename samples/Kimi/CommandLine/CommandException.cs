namespace Kimi.CommandLine;

/// <summary>Something the user can put right; the message is all that is shown.</summary>
internal sealed class CommandException(string message, Exception? innerException = null) : Exception(message, innerException);
