using System.Diagnostics.Metrics;
using KimiLinear.Scheduling;

namespace KimiServer.Figures;

/// <summary>Collects what an engine's own instruments measure, with the names and bounds of vLLM's histograms.</summary>
internal sealed class EngineHistograms : IDisposable
{
    private static readonly double[] FirstTokenSeconds =
    [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
    ];

    // Small models take less than vLLM's least bound, a hundredth of a second.
    private static readonly double[] TokenSeconds =
    [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ];

    private static readonly double[] RequestSeconds =
    [
        0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ];

    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, Histogram> _byInstrument;

    /// <summary>Begins to collect.</summary>
    /// <param name="engine">The engine; others of the process are passed over.</param>
    public EngineHistograms(GenerationEngine engine)
    {
        double[] tokens = TokenCounts(engine.MaxContextTokens);
        _byInstrument = new Dictionary<string, Histogram>
        {
            ["gen_ai.server.time_to_first_token"] = new(
                "time_to_first_token_seconds", "Time from a request to its first token.", FirstTokenSeconds),
            ["kimilinear.token.interval"] = new(
                "inter_token_latency_seconds", "Time between two tokens of a reply.", TokenSeconds),
            ["gen_ai.server.time_per_output_token"] = new(
                "request_time_per_output_token_seconds", "Time of a reply's tokens after the first, on average.", TokenSeconds),
            ["gen_ai.server.request.duration"] = new(
                "e2e_request_latency_seconds", "Time from a request to its last token.", RequestSeconds),
            ["kimilinear.queue.duration"] = new(
                "request_queue_time_seconds", "Time a request waited for a place.", RequestSeconds),
            ["kimilinear.request.prompt_tokens"] = new("request_prompt_tokens", "Tokens of a request's prompt.", tokens),
            ["kimilinear.request.generated_tokens"] = new("request_generation_tokens", "Tokens of a reply.", tokens),
        };
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, engine)
                && _byInstrument.TryGetValue(instrument.Name, out Histogram? histogram))
            {
                listener.EnableMeasurementEvents(instrument, histogram);
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, value, _, histogram) => ((Histogram)histogram!).Add(value));
        _listener.SetMeasurementEventCallback<int>((_, value, _, histogram) => ((Histogram)histogram!).Add(value));
        _listener.Start();
    }

    /// <summary>All of them, in the order in which they are shown.</summary>
    public IEnumerable<Histogram> All => _byInstrument.Values;

    public void Dispose() => _listener.Dispose();

    // 1, 2, 5, 10, 20 and so on, as far as a request may reach.
    private static double[] TokenCounts(int most)
    {
        List<double> bounds = [];
        for (long decade = 1; decade <= most; decade *= 10)
        {
            bounds.AddRange(((long[])[decade, 2 * decade, 5 * decade]).Where(bound => bound <= most).Select(bound => (double)bound));
        }

        return [.. bounds];
    }
}
