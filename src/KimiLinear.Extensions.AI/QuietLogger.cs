using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>Passes messages on; what the logger throws, as it does when a provider of its fails, reaches nobody.</summary>
/// <remarks>A full disk under a log costs neither a reply nor a model that was loaded.</remarks>
internal sealed class QuietLogger : ILogger
{
    private readonly ILogger _inner;

    private QuietLogger(ILogger inner) => _inner = inner;

    /// <summary>Wraps a logger unless it is wrapped already, or null.</summary>
    public static ILogger? Around(ILogger? logger) => logger is null or QuietLogger ? logger : new QuietLogger(logger);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
    {
        try
        {
            return _inner.BeginScope(state);
        }
#pragma warning disable CA1031 // Whatever a logger throws.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return _inner.IsEnabled(logLevel);
        }
#pragma warning disable CA1031 // Whatever a logger throws.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            _inner.Log(logLevel, eventId, state, exception, formatter);
        }
#pragma warning disable CA1031 // Whatever a logger throws.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
