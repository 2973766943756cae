namespace KimiServer.Hosting;

/// <summary>What the library refuses before it computes is the request's fault.</summary>
internal static class ModelRefusals
{
    private const string ContextCode = "context_length_exceeded";

    /// <summary>Begins a request; what the library finds wrong with it becomes an answer.</summary>
    public static T Translate<T>(Func<T> begin)
    {
        try
        {
            return begin();
        }
        catch (InsufficientMemoryException exception)
        {
            throw ApiException.Invalid(exception.Message, code: ContextCode);
        }
        catch (NotSupportedException exception)
        {
            throw ApiException.Invalid(exception.Message, code: "unsupported");
        }
        catch (ArgumentException exception)
        {
            // The framework appends the parameter's name, which means nothing to a client.
            int end = exception.Message.IndexOf(" (Parameter '", StringComparison.Ordinal);
            string message = end > 0 ? exception.Message[..end] : exception.Message;
            throw ApiException.Invalid(message, code: IsTooLong(exception) ? ContextCode : null);
        }
    }

    private static bool IsTooLong(ArgumentException exception) =>
        exception is not ArgumentOutOfRangeException && exception.ParamName is ("promptLength" or "promptTokenIds");
}
