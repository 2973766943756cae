using System.Globalization;
using System.Text;
using KimiLinear.Scheduling;
using KimiServer.Figures;

namespace KimiServer.Replies;

/// <summary>An engine's figures as Prometheus reads them, named as vLLM names its own.</summary>
internal static class PrometheusText
{
    private const string Prefix = "kimilinear_";

    public static string Of(EngineStatistics statistics, IEnumerable<Histogram> histograms, string model)
    {
        StringBuilder text = new();
        string label = $"model_name=\"{Escape(model)}\"";
        Gauge("num_requests_running", "Requests whose replies are computed.", statistics.RunningCount);
        Gauge("num_requests_paused", "Requests among them whose readers are too far behind.", statistics.PausedCount);
        Gauge("num_requests_waiting", "Requests that wait for a place.", statistics.WaitingCount);
        Gauge(
            "kv_cache_usage_perc",
            "Part of the memory for conversations that is in use, from 0 to 1.",
            (double)statistics.MemoryBytes / statistics.MaxMemoryBytes);
        Gauge("kv_cache_bytes", "Bytes that conversations and kept prefixes hold.", statistics.MemoryBytes);
        Gauge("prefix_cache_entries", "Prefixes kept for later requests.", statistics.PrefixCount);
        Gauge("prefix_folder_entries", "Prefixes kept in files.", statistics.StoredPrefixCount);
        Gauge("prefix_folder_bytes", "Bytes of these files.", statistics.StoredPrefixBytes);
        Counter("spec_decode_num_draft_tokens_total", "Tokens guessed.", statistics.GuessedTokenCount);
        Counter("spec_decode_num_accepted_tokens_total", "Tokens guessed rightly.", statistics.RightlyGuessedTokenCount);
        Counter("prompt_tokens_total", "Prompt tokens read.", statistics.PromptTokenCount);
        Counter("prompt_tokens_cached_total", "Prompt tokens resumed in place of being read.", statistics.CachedPromptTokenCount);
        Counter("generation_tokens_total", "Tokens generated.", statistics.GeneratedTokenCount);
        Counter("num_preemptions_total", "Times a request lost its memory to others.", statistics.PreemptedCount);
        Counter("engine_steps_total", "Steps computed.", statistics.StepCount);
        Describe("requests_total", "Requests that ended, by how.", "counter");
        Value("requests_total", statistics.CompletedCount, ",outcome=\"completed\"");
        Value("requests_total", statistics.CancelledCount, ",outcome=\"cancelled\"");
        Value("requests_total", statistics.FailedCount, ",outcome=\"failed\"");
        Value("requests_total", statistics.RefusedCount, ",outcome=\"refused\"");
        foreach (Histogram histogram in histograms)
        {
            Describe(histogram.Name, histogram.Help, "histogram");
            histogram.Write(text, Prefix + histogram.Name, label);
        }

        return text.ToString();

        void Gauge(string name, string help, double value) => Single(name, help, "gauge", value);

        void Counter(string name, string help, double value) => Single(name, help, "counter", value);

        void Single(string name, string help, string kind, double value)
        {
            Describe(name, help, kind);
            Value(name, value);
        }

        void Describe(string name, string help, string kind) =>
            text.Append($"# HELP {Prefix}{name} {help}\n# TYPE {Prefix}{name} {kind}\n");

        void Value(string name, double value, string labels = "") =>
            text.Append(CultureInfo.InvariantCulture, $"{Prefix}{name}{{{label}{labels}}} {value}\n");
    }

    private static string Escape(string text) => text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}
