using KimiLinear.Scheduling;
using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>What is logged of an engine.</summary>
internal static partial class EngineLog
{
    /// <summary>Options of an engine that logs what its listeners throw; the logger itself throws nothing.</summary>
    public static EngineOptions Into(this EngineOptions options, ILogger? logger) =>
        logger is null ? options : options with { TelemetryFaultHandler = fault => TelemetryFailed(logger, fault) };

    [LoggerMessage(7, LogLevel.Warning, "A listener of telemetry threw. Replies go on; more of this is not logged.")]
    private static partial void TelemetryFailed(ILogger logger, Exception exception);
}
