using System.ClientModel;
using Kimi.CommandLine;

namespace Kimi.Evaluation;

/// <summary>Puts into words why a model gave no answer.</summary>
internal static class AskingError
{
    private const int Unauthorized = 401;

    /// <summary>Tells whether an exception is of the model or its server, and neither of the user who ends the command nor of this program.</summary>
    /// <remarks>Which ones a client throws over an answer it does not understand is nowhere written.</remarks>
    public static bool Is(Exception exception, CancellationToken cancellationToken) =>
        exception is not (OutOfMemoryException or NullReferenceException or IndexOutOfRangeException)
        && (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested);

    /// <summary>The reason as a sentence.</summary>
    public static string Reason(Exception exception)
    {
        // Each try has failed in its own way, mostly in the same.
        Exception root = exception is AggregateException tries ? tries.InnerExceptions[^1] : exception;
        while (root.InnerException is { } inner && root.Message.Contains("inner exception", StringComparison.OrdinalIgnoreCase))
        {
            root = inner;
        }

        string message = ErrorBoundary.WithoutParameter(root.Message).TrimEnd();
        message = message.EndsWith('.') ? message : $"{message}.";
        return root is ClientResultException { Status: Unauthorized }
            ? $"{message} OPENAI_API_KEY must hold the server's key."
            : message;
    }
}
