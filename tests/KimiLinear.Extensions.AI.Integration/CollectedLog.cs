using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI.Integration;

/// <summary>Keeps all that is logged, whatever its level.</summary>
internal sealed class CollectedLog : ILoggerFactory, ILogger
{
    public List<string> Entries { get; } = [];

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Entries.Add(formatter(state, exception));

    public void Dispose()
    {
    }
}
