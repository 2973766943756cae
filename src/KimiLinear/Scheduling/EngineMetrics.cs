using System.Diagnostics;
using System.Diagnostics.Metrics;
using KimiLinear.Generation;

namespace KimiLinear.Scheduling;

/// <summary>What an engine measures for OpenTelemetry, under the name of <see cref="GenerationEngine.TelemetryName"/>.</summary>
/// <remarks>
/// Names and units are those of the GenAI conventions where they have one. A listener of the meter runs within the call that
/// measures, on the engine's thread; what it throws is its own affair and reaches no request.
/// </remarks>
internal sealed class EngineMetrics : IDisposable
{
    private static readonly ActivitySource Source = new(GenerationEngine.TelemetryName);

    private readonly Meter _meter;
    private readonly string _model;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _timeToFirstToken;
    private readonly Histogram<double> _timePerOutputToken;
    private readonly Histogram<double> _queueDuration;
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _tokenInterval;
    private readonly Histogram<int> _promptTokens;
    private readonly Histogram<int> _generatedTokens;
    private readonly Counter<long> _tokens;

    /// <param name="model">The model's name.</param>
    /// <param name="engine">The engine, by which a listener can tell this meter from those of others.</param>
    public EngineMetrics(string model, GenerationEngine engine)
    {
        _meter = new Meter(GenerationEngine.TelemetryName, version: null, tags: null, scope: engine);
        _model = model;
        _duration = _meter.CreateHistogram<double>(
            "gen_ai.server.request.duration", "s", "Time from a request to the last token of its reply.");
        _timeToFirstToken = _meter.CreateHistogram<double>(
            "gen_ai.server.time_to_first_token", "s", "Time from a request to the first token of its reply.");
        _timePerOutputToken = _meter.CreateHistogram<double>(
            "gen_ai.server.time_per_output_token", "s", "Time of each token after the first.");
        _queueDuration = _meter.CreateHistogram<double>("kimilinear.queue.duration", "s", "Time a request waited for a place.");
        _batchSize = _meter.CreateHistogram<int>("kimilinear.step.requests", "{request}", "Requests that a step computed.");
        _tokenInterval = _meter.CreateHistogram<double>(
            "kimilinear.token.interval", "s", "Time between two tokens of a reply, pauses for its reader included.");
        _promptTokens = _meter.CreateHistogram<int>(
            "kimilinear.request.prompt_tokens", "{token}", "Tokens of a request's prompt, read or resumed.");
        _generatedTokens = _meter.CreateHistogram<int>("kimilinear.request.generated_tokens", "{token}", "Tokens of a reply.");
        _tokens = _meter.CreateCounter<long>(
            "kimilinear.tokens", "{token}", "Tokens of prompts that were read or resumed, and tokens generated.");
    }

    /// <summary>Reports what an engine does now, from when it can tell.</summary>
    public void Observe(Func<EngineStatistics> statistics)
    {
        Gauge("kimilinear.requests.running", "{request}", "Requests computed side by side.", figures => figures.RunningCount);
        Gauge("kimilinear.requests.paused", "{request}", "Running requests whose readers are behind.", figures => figures.PausedCount);
        Gauge("kimilinear.requests.waiting", "{request}", "Requests that wait for a place.", figures => figures.WaitingCount);
        Gauge("kimilinear.memory.used", "By", "Memory of sequences and kept prefixes.", figures => figures.MemoryBytes);

        void Gauge(string name, string unit, string description, Func<EngineStatistics, long> read) =>
            _meter.CreateObservableGauge(name, () => read(statistics()), unit, description);
    }

    /// <summary>Starts the span of a request; null when nobody listens.</summary>
    public Activity? Start()
    {
        Activity? activity = Source.StartActivity($"generate {_model}", ActivityKind.Internal);
        activity?.SetTag("gen_ai.operation.name", "generate_content");
        activity?.SetTag("gen_ai.provider.name", "kimilinear");
        activity?.SetTag("gen_ai.request.model", _model);
        return activity;
    }

    /// <summary>Counts a step.</summary>
    public void CountStep(int requestCount) =>
        Measure(this, requestCount, static (metrics, count) => metrics._batchSize.Record(count));

    /// <summary>Counts the tokens that a step brought a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="count">
    /// Its tokens, at least 1; those after the first were guessed, and each gets an equal share of the time.
    /// </param>
    public void CountTokens(EngineRequest request, int count)
    {
        if (!_tokenInterval.Enabled)
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        if (request.LastTokenAt != 0)
        {
            double seconds = Stopwatch.GetElapsedTime(request.LastTokenAt, now).TotalSeconds / count;
            Measure(this, (seconds, count), static (metrics, tokens) =>
            {
                for (int i = 0; i < tokens.count; i++)
                {
                    metrics._tokenInterval.Record(
                        tokens.seconds, new KeyValuePair<string, object?>("gen_ai.request.model", metrics._model));
                }
            });
        }

        request.LastTokenAt = now;
    }

    /// <summary>Counts a reply that came to its end.</summary>
    /// <param name="timings">What it took.</param>
    /// <param name="span">Its span, or null.</param>
    public void CountReply(GenerationTimings timings, Activity? span) =>
        Measure(this, (timings, span), static (metrics, reply) => metrics.Record(reply.timings, reply.span));

    public void Dispose() => _meter.Dispose();

    private static void Measure<TState>(EngineMetrics metrics, TState state, Action<EngineMetrics, TState> record)
    {
        try
        {
            record(metrics, state);
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private void Record(GenerationTimings timings, Activity? span)
    {
        span?.SetTag("gen_ai.usage.input_tokens", timings.PromptTokenCount);
        span?.SetTag("gen_ai.usage.output_tokens", timings.GeneratedTokenCount);
        span?.SetTag("gen_ai.usage.cache_read.input_tokens", timings.CachedPromptTokenCount);
        span?.SetTag("kimilinear.queue.duration", timings.QueueDuration.TotalSeconds);
        KeyValuePair<string, object?> model = new("gen_ai.request.model", _model);
        TimeSpan untilFirst = timings.QueueDuration + timings.TimeToFirstToken;
        _timeToFirstToken.Record(untilFirst.TotalSeconds, model);
        _duration.Record((untilFirst + timings.DecodeDuration).TotalSeconds, model);
        _queueDuration.Record(timings.QueueDuration.TotalSeconds, model);
        if (timings.GeneratedTokenCount > 1)
        {
            _timePerOutputToken.Record(timings.DecodeDuration.TotalSeconds / (timings.GeneratedTokenCount - 1), model);
        }

        _promptTokens.Record(timings.PromptTokenCount, model);
        _generatedTokens.Record(timings.GeneratedTokenCount, model);
        int read = timings.PromptTokenCount - timings.CachedPromptTokenCount;
        _tokens.Add(read, model, new("kimilinear.token.kind", "read"));
        _tokens.Add(timings.CachedPromptTokenCount, model, new("kimilinear.token.kind", "resumed"));
        _tokens.Add(timings.GeneratedTokenCount, model, new("kimilinear.token.kind", "generated"));
    }
}
