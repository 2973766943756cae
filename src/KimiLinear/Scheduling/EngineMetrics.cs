using System.Diagnostics;
using System.Diagnostics.Metrics;
using KimiLinear.Generation;

namespace KimiLinear.Scheduling;

/// <summary>What an engine measures for OpenTelemetry, under the name of <see cref="GenerationEngine.TelemetryName"/>.</summary>
/// <remarks>
/// Names, units, attributes and bounds of histograms are those of the GenAI conventions where they have one. A listener of the
/// meter runs within the call that measures, on the engine's thread or, for what is known at a reply's end, its reader's; what it
/// throws costs that call and nothing else. An instrument that a listener will not have made is missing.
/// </remarks>
internal sealed class EngineMetrics : IDisposable
{
    // The conventions' own, and for what they do not name, those of its kin. Without them a collector takes bounds made for
    // milliseconds, and all that is shorter than five seconds is one to it.
    private static readonly InstrumentAdvice<double> RequestSeconds =
        Bounds(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);

    private static readonly InstrumentAdvice<double> FirstTokenSeconds =
        Bounds(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10);

    private static readonly InstrumentAdvice<double> TokenSeconds =
        Bounds(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5);

    private static readonly InstrumentAdvice<int> TokenCounts = Bounds(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576);

    private static readonly InstrumentAdvice<int> RequestCounts = Bounds(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024);

    private readonly TelemetryFaults _faults;
    private readonly Meter _meter;
    private readonly KeyValuePair<string, object?> _model;
    private readonly Histogram<double>? _duration;
    private readonly Histogram<double>? _timeToFirstToken;
    private readonly Histogram<double>? _timePerOutputToken;
    private readonly Histogram<double>? _queueDuration;
    private readonly Histogram<int>? _batchSize;
    private readonly Histogram<double>? _tokenInterval;
    private readonly Histogram<int>? _promptTokens;
    private readonly Histogram<int>? _generatedTokens;
    private readonly Counter<long>? _tokens;

    /// <param name="model">The model's name.</param>
    /// <param name="engine">The engine, by which a listener can tell this meter from those of others.</param>
    /// <param name="faults">Where what listeners throw ends.</param>
    public EngineMetrics(string model, GenerationEngine engine, TelemetryFaults faults)
    {
        _faults = faults;
        _meter = new Meter(GenerationEngine.TelemetryName, version: null, tags: null, scope: engine);
        _model = new("gen_ai.request.model", model);
        _duration = Histogram<double>(
            "gen_ai.server.request.duration", "s", "Time from a request to the last token of its reply.", RequestSeconds);
        _timeToFirstToken = Histogram<double>(
            "gen_ai.server.time_to_first_token", "s", "Time from a request to the first token of its reply.", FirstTokenSeconds);
        _timePerOutputToken = Histogram<double>(
            "gen_ai.server.time_per_output_token", "s", "Time of each token after the first.", TokenSeconds);
        _queueDuration = Histogram<double>(
            "kimilinear.queue.duration", "s", "Time a request waited for a place.", RequestSeconds);
        _batchSize = Histogram<int>(
            "kimilinear.step.requests", "{request}", "Requests that a step computed.", RequestCounts);
        _tokenInterval = Histogram<double>(
            "kimilinear.token.interval", "s", "Time between two tokens of a reply, pauses for its reader included.", TokenSeconds);
        _promptTokens = Histogram<int>(
            "kimilinear.request.prompt_tokens", "{token}", "Tokens of a request's prompt, read or resumed.", TokenCounts);
        _generatedTokens = Histogram<int>(
            "kimilinear.request.generated_tokens", "{token}", "Tokens of a reply.", TokenCounts);
        _tokens = Made(() => _meter.CreateCounter<long>(
            "kimilinear.tokens", "{token}", "Tokens of prompts that were read or resumed, and tokens generated."));
    }

    /// <summary>Reports what an engine does now, from when it can tell.</summary>
    public void Observe(Func<EngineStatistics> statistics)
    {
        Gauge("kimilinear.requests.running", "{request}", "Requests computed side by side.", figures => figures.RunningCount);
        Gauge("kimilinear.requests.paused", "{request}", "Running requests whose readers are behind.", figures => figures.PausedCount);
        Gauge("kimilinear.requests.waiting", "{request}", "Requests that wait for a place.", figures => figures.WaitingCount);
        Gauge("kimilinear.memory.used", "By", "Memory of sequences and kept prefixes.", figures => figures.MemoryBytes);

        void Gauge(string name, string unit, string description, Func<EngineStatistics, long> read) =>
            Made(() => _meter.CreateObservableGauge(name, () => read(statistics()), unit, description));
    }

    /// <summary>Counts a step.</summary>
    public void CountStep(int requestCount) => Record(_batchSize, requestCount);

    /// <summary>Counts the tokens that a step brought a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="count">
    /// Its tokens, at least 1; those after the first were guessed, and each gets an equal share of the time.
    /// </param>
    public void CountTokens(EngineRequest request, int count)
    {
        if (_tokenInterval is not { Enabled: true })
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        if (request.LastTokenAt != 0)
        {
            double seconds = Stopwatch.GetElapsedTime(request.LastTokenAt, now).TotalSeconds / count;
            for (int i = 0; i < count; i++)
            {
                Record(_tokenInterval, seconds, _model);
            }
        }

        request.LastTokenAt = now;
    }

    /// <summary>Counts a reply that came to its end.</summary>
    public void CountReply(GenerationTimings timings)
    {
        TimeSpan untilFirst = timings.QueueDuration + timings.TimeToFirstToken;
        Record(_timeToFirstToken, untilFirst.TotalSeconds, EngineSpans.Operation, EngineSpans.Provider, _model);
        Record(
            _duration, (untilFirst + timings.DecodeDuration).TotalSeconds, EngineSpans.Operation, EngineSpans.Provider, _model);
        Record(_queueDuration, timings.QueueDuration.TotalSeconds, _model);
        if (timings.GeneratedTokenCount > 1)
        {
            Record(
                _timePerOutputToken,
                timings.DecodeDuration.TotalSeconds / (timings.GeneratedTokenCount - 1),
                EngineSpans.Operation,
                EngineSpans.Provider,
                _model);
        }

        Record(_promptTokens, timings.PromptTokenCount, _model);
        Record(_generatedTokens, timings.GeneratedTokenCount, _model);
        Count(timings.PromptTokenCount - timings.CachedPromptTokenCount, "read");
        Count(timings.CachedPromptTokenCount, "resumed");
        Count(timings.GeneratedTokenCount, "generated");
    }

    public void Dispose()
    {
        try
        {
            _meter.Dispose();
        }
#pragma warning disable CA1031 // Whatever a listener throws when it is told that no more will come.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
        }
    }

    private static InstrumentAdvice<T> Bounds<T>(params T[] bounds)
        where T : struct =>
        new() { HistogramBucketBoundaries = bounds };

    private Histogram<T>? Histogram<T>(string name, string unit, string description, InstrumentAdvice<T> advice)
        where T : struct =>
        Made(() => _meter.CreateHistogram(name, unit, description, tags: null, advice));

    private TInstrument? Made<TInstrument>(Func<TInstrument> make)
        where TInstrument : Instrument
    {
        try
        {
            return make();
        }
#pragma warning disable CA1031 // Whatever a listener throws when it is told of the instrument.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
            return null;
        }
    }

    private void Record<T>(Histogram<T>? histogram, T value, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
        where T : struct
    {
        try
        {
            histogram?.Record(value, tags);
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
        }
    }

    private void Count(int tokens, string kind)
    {
        try
        {
            _tokens?.Add(tokens, _model, new("kimilinear.token.kind", kind));
        }
#pragma warning disable CA1031 // Whatever a listener throws.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _faults.Tell(exception);
        }
    }
}
