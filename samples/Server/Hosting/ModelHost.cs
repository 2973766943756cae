using KimiLinear.Checkpoints;
using KimiLinear.Extensions.AI;
using KimiLinear.Model;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KimiServer.Hosting;

/// <summary>Loads the model while the server already answers, and says so to those who come too early.</summary>
internal sealed partial class ModelHost(ServerSettings settings, IHostApplicationLifetime lifetime, ILogger<ModelHost> logger)
    : BackgroundService, IProgress<ModelLoadProgress>, IProgress<ModelDownloadProgress>
{
    private const int ReportedPercent = 10;

    private readonly IProgress<ModelLoadProgress>? _listener = settings.Model.LoadProgress;
    private volatile ServedModel? _model;
    private string _activity = "Loading the model";
    private int _percent;

    /// <summary>Why loading failed, which stops the server.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>The model, or <see langword="null"/> while it loads.</summary>
    public ServedModel? Model => _model;

    public ServedModel Require() => _model ?? throw ApiException.Unavailable(
        $"{_activity}: {_percent} %. Try again soon.", "model_loading");

    public void Report(ModelLoadProgress value)
    {
        Report("Loading the model", value.Fraction);
        _listener?.Report(value);
    }

    public void Report(ModelDownloadProgress value) => Report("Downloading the model", value.Fraction);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_model is { } model)
        {
            await model.DisposeAsync();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        settings.Model.LoadProgress = this;
        settings.Model.DownloadProgress = this;
        TaskCompletionSource started = new();
        using CancellationTokenRegistration registration = lifetime.ApplicationStarted.Register(started.SetResult);
        try
        {
            // A server that cannot have its port loads nothing.
            await started.Task.WaitAsync(stoppingToken);
            KimiLinearChatClient client = await Task.Run(
                () => KimiLinearChatClient.Load(settings.Model, stoppingToken), stoppingToken);
            var model = (KimiLinearModel)client.GetService(typeof(KimiLinearModel))!;
            string name = ((ChatClientMetadata)client.GetService(typeof(ChatClientMetadata))!).DefaultModelId!;
            _model = new ServedModel(client, settings.ServedModelNames is [_, ..] names ? names : [name]);
            Ready(logger, _model.Name, model.DeviceDescription, _model.Engine.MaxContextTokens);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops before the model was there.
        }
        catch (Exception exception)
        {
            Failure = exception;
            lifetime.StopApplication();
        }
    }

    private void Report(string activity, double fraction)
    {
        int percent = (int)(fraction * 100);
        int reported = activity == _activity ? _percent : 0;
        (_activity, _percent) = (activity, percent);
        if (percent / ReportedPercent > reported / ReportedPercent)
        {
            Progressed(logger, activity, percent);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "{Activity}: {Percent} %")]
    private static partial void Progressed(ILogger logger, string activity, int percent);

    [LoggerMessage(2, LogLevel.Information, "Ready: {Model} on {Device}, at most {Tokens} tokens a request")]
    private static partial void Ready(ILogger logger, string model, string device, int tokens);
}
