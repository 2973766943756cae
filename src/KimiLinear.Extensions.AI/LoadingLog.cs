using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>What is logged when a host loads a model.</summary>
internal static partial class LoadingLog
{
    [LoggerMessage(1, LogLevel.Information, "Loaded {Model} on {Device}: {Reason}")]
    public static partial void Loaded(ILogger logger, string model, string device, string reason);

    [LoggerMessage(2, LogLevel.Information, "{Percent} % of {ModelPath} loaded: {Step}")]
    public static partial void Progress(ILogger logger, int percent, string modelPath, string step);

    [LoggerMessage(3, LogLevel.Error, "{ModelPath} was not loaded.")]
    public static partial void Failed(ILogger logger, string modelPath, Exception exception);

    [LoggerMessage(4, LogLevel.Information, "Waiting for {Running} running and {Waiting} waiting requests to end.")]
    public static partial void Draining(ILogger logger, int running, int waiting);

    [LoggerMessage(5, LogLevel.Warning, "{Count} requests are ended: the time to shut down is over.")]
    public static partial void Cut(ILogger logger, int count);
}
