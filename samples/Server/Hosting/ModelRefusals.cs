using KimiLinear.Extensions.AI;

namespace KimiServer.Hosting;

/// <summary>What the library refuses before it computes is the request's fault.</summary>
internal static class ModelRefusals
{
    private const string ContextCode = "context_length_exceeded";

    /// <summary>Begins a request; what the library finds wrong with it becomes an answer.</summary>
    /// <param name="begin">Begins it.</param>
    /// <param name="where">The part of the request that is begun, or <see langword="null"/> for all of it.</param>
    public static T Translate<T>(Func<T> begin, string? where = null)
    {
        string start = where is null ? "" : $"'{where}': ";
        try
        {
            return begin();
        }
        catch (InsufficientMemoryException exception)
        {
            throw ApiException.Invalid(start + exception.Message, where, ContextCode);
        }
        catch (NotSupportedException exception)
        {
            // What the library calls an option is a field here.
            string message = exception.Message.Replace(
                $"set {nameof(UnsupportedOptionBehavior)} to Log or Ignore", "do not ask for it to be strict", StringComparison.Ordinal);
            throw ApiException.Invalid(start + message, where, "unsupported");
        }
        catch (ArgumentException exception)
        {
            // The framework appends the parameter's name, which means nothing to a client.
            int end = exception.Message.IndexOf(" (Parameter '", StringComparison.Ordinal);
            string message = end > 0 ? exception.Message[..end] : exception.Message;
            throw ApiException.Invalid(start + message, where, IsTooLong(exception) ? ContextCode : null);
        }
    }

    private static bool IsTooLong(ArgumentException exception) =>
        exception is not ArgumentOutOfRangeException && exception.ParamName is ("promptLength" or "promptTokenIds");
}
