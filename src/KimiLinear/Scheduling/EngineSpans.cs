using System.Diagnostics;
using KimiLinear.Generation;

namespace KimiLinear.Scheduling;

/// <summary>The spans of an engine's requests, from the source named <see cref="GenerationEngine.TelemetryName"/>.</summary>
/// <remarks>What a listener throws costs what it would have heard, and no request; a span whose start failed is ended all the same.</remarks>
internal sealed class EngineSpans
{
    /// <summary>What every span and measurement of the conventions says of the operation.</summary>
    public static readonly KeyValuePair<string, object?> Operation = new("gen_ai.operation.name", "generate_content");

    /// <summary>What every span and measurement of the conventions says of who computes.</summary>
    public static readonly KeyValuePair<string, object?> Provider = new("gen_ai.provider.name", "kimilinear");

    private static ActivitySource? _processSource;

    private readonly string _model;
    private readonly TelemetryFaults _faults;
    private readonly ActivitySource? _source;

    /// <param name="model">The model's name.</param>
    /// <param name="faults">Where what listeners throw ends.</param>
    public EngineSpans(string model, TelemetryFaults faults)
    {
        _model = model;
        _faults = faults;
        _source = FindSource(ref _processSource, faults);
    }

    /// <summary>Starts the span of a request; null when nobody listens.</summary>
    public Activity? Start()
    {
        Activity? span = StartActivity();
        span?.SetTag(Operation.Key, Operation.Value);
        span?.SetTag(Provider.Key, Provider.Value);
        span?.SetTag("gen_ai.request.model", _model);
        return span;
    }

    /// <summary>Notes in the span what a reply took that came to its end.</summary>
    public static void Describe(Activity? span, GenerationTimings timings)
    {
        span?.SetTag("gen_ai.usage.input_tokens", timings.PromptTokenCount);
        span?.SetTag("gen_ai.usage.output_tokens", timings.GeneratedTokenCount);
        span?.SetTag("gen_ai.usage.cache_read.input_tokens", timings.CachedPromptTokenCount);
        span?.SetTag("kimilinear.queue.duration", timings.QueueDuration.TotalSeconds);
    }

    /// <summary>Notes in the span that the request failed, was refused or cancelled.</summary>
    public static void Fail(Activity? span, Exception exception)
    {
        // Cancelled is cancelled, whether it shows as the next token is waited for or before.
        Type type = exception is OperationCanceledException ? typeof(OperationCanceledException) : exception.GetType();
        span?.SetTag("error.type", type.FullName);
        span?.SetStatus(ActivityStatusCode.Error, exception.Message);
    }

    /// <summary>Ends a span.</summary>
    public void Stop(Activity? span)
    {
        try
        {
            span?.Stop();
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
        }
    }

    /// <summary>Finds the source that is held, or makes it; null when a listener will not have it.</summary>
    /// <param name="held">
    /// Where it is held, for all engines of the process. Making it asks listeners whether they want it, and one may throw; the next
    /// engine tries again then, and an initializer of a field could not.
    /// </param>
    /// <param name="faults">Where what listeners throw ends.</param>
    internal static ActivitySource? FindSource(ref ActivitySource? held, TelemetryFaults faults)
    {
        if (Volatile.Read(ref held) is { } source)
        {
            return source;
        }

        try
        {
            ActivitySource made = new(GenerationEngine.TelemetryName);
            if (Interlocked.CompareExchange(ref held, made, null) is { } other)
            {
                made.Dispose();
                return other;
            }

            return made;
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            faults.Tell(exception);
            return null;
        }
    }

    private Activity? StartActivity()
    {
        Activity? before = Activity.Current;
        try
        {
            return _source?.StartActivity($"generate {_model}", ActivityKind.Internal);
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
            // Others may have heard of it before one threw, and shall hear of its end.
            return Activity.Current is { } started && started != before && started.Source == _source ? started : null;
        }
    }
}
