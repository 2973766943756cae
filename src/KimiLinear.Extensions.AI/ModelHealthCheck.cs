using System.Globalization;
using KimiLinear.Scheduling;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KimiLinear.Extensions.AI;

/// <summary>Says whether a model is loaded and keeps up. It looks at the state only: it never loads, and never computes.</summary>
internal sealed class ModelHealthCheck(ModelHost host, int maxQueuedRequests) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Check(context.Registration.FailureStatus));

    private HealthCheckResult Check(HealthStatus failureStatus)
    {
        if (host.IsStopping)
        {
            return new HealthCheckResult(failureStatus, "stopping: no more requests are taken");
        }

        if (host.Error is { } error)
        {
            return new HealthCheckResult(failureStatus, $"failed: {error.Message}", error);
        }

        if (host.WarmUp == ModelWarmUp.OnFirstUse && !host.HasBegun)
        {
            // Whoever waits for readiness before the first request would wait for ever.
            return HealthCheckResult.Healthy("not loaded: the first request loads it");
        }

        if (host.LoadedClient?.GetService(typeof(GenerationEngine), serviceKey: null) is not GenerationEngine engine)
        {
            return new HealthCheckResult(
                failureStatus, string.Create(CultureInfo.InvariantCulture, $"loading: {host.LoadedFraction:P0}"));
        }

        EngineStatistics statistics = engine.GetStatistics();
        Dictionary<string, object> data = new()
        {
            ["running"] = statistics.RunningCount,
            ["waiting"] = statistics.WaitingCount,
            ["paused"] = statistics.PausedCount,
            ["memory_bytes"] = statistics.MemoryBytes,
            ["max_memory_bytes"] = statistics.MaxMemoryBytes,
        };

        // Half of the queue: a balancer can send callers elsewhere before any is refused.
        return statistics.WaitingCount > maxQueuedRequests / 2
            ? HealthCheckResult.Degraded($"overloaded: {statistics.WaitingCount} requests wait", data: data)
            : HealthCheckResult.Healthy("ready", data);
    }
}
