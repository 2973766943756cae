using KimiLinear.Scheduling;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>Loads a model when the application starts, and lets its requests end when it stops.</summary>
internal sealed class ModelLifetimeService(ModelHost host, ILogger<KimiLinearChatClient>? logger) : IHostedService
{
    private readonly ILogger? _logger = QuietLogger.Around(logger);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        switch (host.WarmUp)
        {
            case ModelWarmUp.BeforeStart:
                await host.LoadAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
                break;
            case ModelWarmUp.Background:
                // Whoever asks for the client is told if it fails, and so are the log and the health check.
                _ = host.LoadAsync();
                break;
        }
    }

    // What has not ended when the host's patience has is ended by disposing the client.
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        host.IsStopping = true;
        if (host.LoadedClient?.GetService(typeof(GenerationEngine), serviceKey: null) is not GenerationEngine engine)
        {
            return;
        }

        EngineStatistics statistics = engine.GetStatistics();
        if (_logger is not null && statistics.RunningCount + statistics.WaitingCount > 0)
        {
            LoadingLog.Draining(_logger, statistics.RunningCount, statistics.WaitingCount);
        }

        try
        {
            await engine.StopAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            statistics = engine.GetStatistics();
            if (_logger is not null)
            {
                LoadingLog.Cut(_logger, statistics.RunningCount + statistics.WaitingCount);
            }
        }
    }
}
