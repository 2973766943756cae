using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class EngineTelemetryTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    [Fact]
    public async Task GenerateAsync_MeterListened_ReportsEveryReply()
    {
        ConcurrentBag<(string Name, double Value, string Tags)> measured = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == GenerationEngine.TelemetryName)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();
        using EngineHarness harness = new(tiny);

        await harness.AskAsync(77, maxTokens: 9);
        listener.RecordObservableInstruments();

        // Other engines of the process report to the same listener.
        Assert.Contains(measured, item => item.Name == "gen_ai.server.time_to_first_token" && item.Value > 0);
        Assert.Contains(measured, item => item.Name == "gen_ai.server.time_per_output_token" && item.Value > 0);
        Assert.Contains(measured, item => item.Name == "gen_ai.server.request.duration" && item.Value > 0);
        Assert.Contains(measured, item => item.Name == "kimilinear.queue.duration");
        Assert.Contains(measured, item => item.Name == "kimilinear.step.requests" && item.Value >= 1);
        Assert.Contains(measured, item => item.Name == "kimilinear.requests.running");
        Assert.Contains(measured, item => item.Name == "kimilinear.memory.used" && item.Value > 0);
        Assert.Contains(measured, item => item.Name == "kimilinear.tokens" && item.Value == 9
            && item.Tags.Contains("generated", StringComparison.Ordinal)
            && item.Tags.Contains(tiny.Model.Name, StringComparison.Ordinal));
        Assert.Contains(measured, item => item.Name == "kimilinear.tokens" && item.Value == harness.Prompt(77).Length
            && item.Tags.Contains("read", StringComparison.Ordinal));

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            measured.Add((instrument.Name, value, string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"))));
    }

    [Fact]
    public async Task GenerateAsync_ListenerThatThrows_RepliesAreWholeAllTheSame()
    {
        using EngineHarness harness = new(tiny);
        int measured = 0;
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, harness.Engine))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => Throw());
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => Throw());
        listener.SetMeasurementEventCallback<int>((_, _, _, _) => Throw());
        listener.Start();

        int[][] replies = [await harness.AskAsync(1), await harness.AskAsync(2)];

        Assert.Equal([await harness.AloneAsync(1), await harness.AloneAsync(2)], replies);
        EngineStatistics statistics = harness.Engine.GetStatistics();
        Assert.Equal((2, 0), (statistics.CompletedCount, statistics.FailedCount));
        Assert.InRange(measured, 1, int.MaxValue);

        void Throw()
        {
            measured++;
            throw new InvalidOperationException("The listener is broken.");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public async Task GenerateAsync_OneEngineListened_MeasuresItsTokensOneByOne(int draftTokens)
    {
        ConcurrentBag<(string Name, double Value)> measured = [];
        using EngineHarness other = new(tiny);
        using EngineHarness harness = new(tiny, new EngineOptions { MaxDraftTokens = draftTokens });
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, harness.Engine))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => measured.Add((instrument.Name, value)));
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => measured.Add((instrument.Name, value)));
        listener.Start();

        await other.AskAsync(5, maxTokens: 7);
        await harness.AskAsync(1, maxTokens: 300);
        await harness.AskAsync(2, maxTokens: 1);
        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);

        Assert.Equal<double>([harness.Prompt(1).Length, harness.Prompt(2).Length], Of("kimilinear.request.prompt_tokens").Order());
        Assert.Equal<double>([1, 300], Of("kimilinear.request.generated_tokens").Order());
        Assert.Equal(299, Of("kimilinear.token.interval").Length);
        Assert.All(Of("kimilinear.token.interval"), seconds => Assert.True(seconds > 0));

        double[] Of(string name) => [.. measured.Where(item => item.Name == name).Select(item => item.Value)];
    }

    [Fact]
    public async Task GenerateAsync_SpansListened_HasOneWithTheUsage()
    {
        ConcurrentBag<Activity> spans = [];
        using ActivityListener listener = Listen(spans);
        using EngineHarness harness = new(tiny);
        using Activity parent = new Activity("test").Start();

        await harness.AskAsync(78, maxTokens: 9);

        Activity span = Assert.Single(spans, span => span.TraceId == parent.TraceId);
        Assert.Equal(harness.Prompt(78).Length, span.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(9, span.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Equal(tiny.Model.Name, span.GetTagItem("gen_ai.request.model"));
    }

    [Fact]
    public async Task GenerateAsync_ConventionsMetrics_CarryWhatTheyRequireAndAdviseBounds()
    {
        ConcurrentDictionary<string, string[]> tagsByName = [];
        ConcurrentDictionary<string, double[]> boundsByName = [];
        using EngineHarness harness = new(tiny);
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, harness.Engine))
                {
                    self.EnableMeasurementEvents(instrument);
                    boundsByName[instrument.Name] = instrument switch
                    {
                        Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
                        Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(bound => (double)bound)],
                        _ => [],
                    };
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) =>
            tagsByName[instrument.Name] = [.. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal)]);
        listener.Start();

        await harness.AskAsync(77, maxTokens: 9);

        string[] expected =
        [
            "gen_ai.operation.name=generate_content", "gen_ai.provider.name=kimilinear", $"gen_ai.request.model={tiny.Model.Name}",
        ];
        foreach (string name in (string[])["request.duration", "time_to_first_token", "time_per_output_token"])
        {
            Assert.Equal(expected, tagsByName[$"gen_ai.server.{name}"]);
        }

        Assert.Equal(
            [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
            boundsByName["gen_ai.server.request.duration"]);
        foreach (string name in (string[])
            ["kimilinear.queue.duration", "kimilinear.token.interval", "kimilinear.request.prompt_tokens", "kimilinear.step.requests"])
        {
            Assert.NotEmpty(boundsByName[name]);
        }
    }

    [Fact]
    public async Task GenerateAsync_CancelledRequest_SpanSaysSo()
    {
        ConcurrentBag<Activity> spans = [];
        using ActivityListener listener = Listen(spans);
        using EngineHarness harness = new(tiny);
        using Activity parent = new Activity("test").Start();
        using CancellationTokenSource enough = new();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (KimiLinear.Generation.GeneratedToken _ in harness.Engine.GenerateAsync(harness.Prompt(78), null, enough.Token))
            {
                await enough.CancelAsync();
            }
        });

        Activity span = Assert.Single(spans, span => span.TraceId == parent.TraceId);
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal(typeof(OperationCanceledException).FullName, span.GetTagItem("error.type"));
    }

    [Fact]
    public void Fail_CancelledWhileWaiting_SpanSaysCancelled()
    {
        using Activity cancelled = new("cancelled");
        using Activity failed = new("failed");

        EngineSpans.Fail(cancelled, new TaskCanceledException());
        EngineSpans.Fail(failed, new InvalidDataException());

        Assert.Equal(typeof(OperationCanceledException).FullName, cancelled.GetTagItem("error.type"));
        Assert.Equal(typeof(InvalidDataException).FullName, failed.GetTagItem("error.type"));
    }

    private static ActivityListener Listen(ConcurrentBag<Activity> spans)
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == GenerationEngine.TelemetryName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
