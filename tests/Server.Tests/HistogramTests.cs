using System.Globalization;
using System.Text;
using System.Text.Json;
using KimiServer.Figures;
using Xunit;

namespace KimiServer.Tests;

/// <summary>The distributions of /metrics.</summary>
public sealed class HistogramTests
{
    private const string Label = "model_name=\"kimi-linear-tiny\"";

    [Fact]
    public void Write_Values_CountAtOrBelowEachBound()
    {
        Histogram histogram = new("name", "help", [0.5, 1, 2.5]);
        foreach (double value in (double[])[0.25, 0.5, 0.75, 1, 3, 100])
        {
            histogram.Add(value);
        }

        StringBuilder text = new();
        histogram.Write(text, "full", "a=\"b\"");

        Assert.Equal(
            """
            full_bucket{a="b",le="0.5"} 2
            full_bucket{a="b",le="1"} 4
            full_bucket{a="b",le="2.5"} 4
            full_bucket{a="b",le="+Inf"} 6
            full_sum{a="b"} 105.5
            full_count{a="b"} 6

            """.ReplaceLineEndings("\n"),
            text.ToString());
    }

    [Fact]
    public async Task Metrics_AfterRequests_HaveTheirDistributions()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings());
        await using RunningServer other = await RunningServer.StartAsync(RunningServer.Settings());
        // Another engine of the process is none of this server's.
        await other.ReplyAsync(Asked.Completion, new { prompt = "Once upon", max_tokens = 3 });

        JsonElement chat = await server.ReplyAsync(Asked.Chat, Asked.Introducing());
        await server.ReplyAsync(Asked.Completion, new { prompt = new[] { "a", "b" }, max_tokens = 1 });

        int written = chat.GetProperty("usage").GetProperty("completion_tokens").GetInt32();
        Assert.InRange(written, 11, 20);
        // A step's intervals are measured just after its tokens are handed out.
        await RunningServer.UntilAsync(async () =>
            await server.MetricAsync($"inter_token_latency_seconds_count{{{Label}}}") == written - 1);
        foreach (string name in (string[])
            [
                "time_to_first_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds",
                "request_prompt_tokens", "request_generation_tokens",
            ])
        {
            Assert.Equal(3, await server.MetricAsync($"{name}_count{{{Label}}}"));
            Assert.Equal(3, await server.MetricAsync($"{name}_bucket{{{Label},le=\"+Inf\"}}"));
        }

        Assert.Equal(1, await server.MetricAsync($"request_time_per_output_token_seconds_count{{{Label}}}"));
        Assert.Equal(2, await server.MetricAsync($"request_generation_tokens_bucket{{{Label},le=\"1\"}}"));
        Assert.Equal(2, await server.MetricAsync($"request_generation_tokens_bucket{{{Label},le=\"10\"}}"));
        Assert.Equal(3, await server.MetricAsync($"request_generation_tokens_bucket{{{Label},le=\"20\"}}"));
        Assert.Equal(written + 2, await server.MetricAsync($"request_generation_tokens_sum{{{Label}}}"));
        Assert.True(await server.MetricAsync($"time_to_first_token_seconds_sum{{{Label}}}") > 0);
        string all = await server.Http.GetStringAsync("/metrics");
        Assert.Contains("# TYPE kimilinear_time_to_first_token_seconds histogram\n", all, StringComparison.Ordinal);
        RequireGrowing(all, "kimilinear_inter_token_latency_seconds_bucket");
    }

    private static void RequireGrowing(string metrics, string name)
    {
        double[] counts =
        [
            .. metrics.Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal))
                .Select(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture)),
        ];
        Assert.True(counts.Length > 10);
        Assert.Equal(counts.Order(), counts);
    }
}
