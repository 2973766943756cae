using KimiLinear.Model;
using Microsoft.Extensions.Logging;

namespace KimiLinear.Extensions.AI;

/// <summary>Loads the model of one registration, once, and knows how that is going.</summary>
internal sealed class ModelHost(KimiLinearChatClientOptions options, ILogger<KimiLinearChatClient>? logger)
    : IDisposable, IProgress<ModelLoadProgress>
{
    // The log tells of loading in steps of a tenth.
    private const int LoggedSteps = 10;

    private readonly CancellationTokenSource _disposing = new();
    private readonly Lock _gate = new();
    private readonly ILogger? _logger = QuietLogger.Around(logger);
    private Task<KimiLinearChatClient>? _loading;
    private ModelLoadProgress _progress;
    private int _loggedStep;
    private bool _disposed;

    public ModelWarmUp WarmUp => options.WarmUp;

    /// <summary>Gets how far loading has come, from 0 to 1.</summary>
    public double LoadedFraction => _progress.TotalBytes == 0 ? 0 : _progress.Fraction;

    /// <summary>Gets a value indicating whether loading has begun; it may have ended since.</summary>
    public bool HasBegun => _loading is not null;

    /// <summary>Gets the client if it is loaded.</summary>
    public KimiLinearChatClient? LoadedClient => _loading is { IsCompletedSuccessfully: true } loaded ? loaded.Result : null;

    /// <summary>Gets or sets a value indicating whether no more requests are taken.</summary>
    public bool IsStopping { get; set; }

    /// <summary>Gets why loading failed, if it did.</summary>
    public Exception? Error => _loading?.Exception?.InnerException;

    /// <summary>Loads the model unless that was begun before, away from the caller's thread.</summary>
    public Task<KimiLinearChatClient> LoadAsync()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(KimiLinearChatClient));
            return _loading ??= Task.Run(Load);
        }
    }

    /// <inheritdoc/>
    public void Report(ModelLoadProgress value)
    {
        _progress = value;
        options.LoadProgress?.Report(value);
        int step = (int)(value.Fraction * LoggedSteps);
        if (_logger is not null && step > _loggedStep && step < LoggedSteps)
        {
            LoadingLog.Progress(_logger, step * 100 / LoggedSteps, options.ModelPath, value.Step);
        }

        _loggedStep = Math.Max(step, _loggedStep);
    }

    public void Dispose()
    {
        Task<KimiLinearChatClient>? loading;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            loading = _loading;
        }

        _disposing.Cancel();
        try
        {
            loading?.GetAwaiter().GetResult().Dispose();
        }
#pragma warning disable CA1031 // Whoever asked for the client was told why there is none.
        catch
#pragma warning restore CA1031
        {
        }

        _disposing.Dispose();
    }

    private KimiLinearChatClient Load()
    {
        try
        {
            KimiLinearChatClient client = KimiLinearChatClient.Load(options, this, _logger, _disposing.Token);
            if (_logger is not null)
            {
                LoadingLog.Loaded(_logger, client.Model.Name, client.Model.DeviceDescription, client.Model.DeviceReason);
            }

            return client;
        }
        catch (Exception exception) when (_logger is not null && exception is not OperationCanceledException)
        {
            LoadingLog.Failed(_logger, options.ModelPath, exception);
            throw;
        }
    }
}
