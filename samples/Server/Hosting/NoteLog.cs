using Microsoft.Extensions.Logging;

namespace KimiServer.Hosting;

/// <summary>What the server has to say about how it was started.</summary>
internal static partial class NoteLog
{
    [LoggerMessage(1, LogLevel.Information, "{Note}")]
    public static partial void LogNote(this ILogger logger, string note);
}
