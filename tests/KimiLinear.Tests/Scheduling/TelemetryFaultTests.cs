using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>What listeners of telemetry throw costs nobody a reply, and no measurement but their own.</summary>
/// <remarks>Listeners hear all engines of the process, so these tests run alone.</remarks>
[Collection(ProcessWide.Name)]
public sealed class TelemetryFaultTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private readonly ConcurrentBag<(string Name, double Value)> _measured = [];
    private readonly ConcurrentBag<Exception> _faults = [];

    private EngineOptions Options => new() { MaxDraftTokens = 0, TelemetryFaultHandler = _faults.Add };

    [Fact]
    public async Task GenerateAsync_ListenerFailsOnce_OtherMeasurementsAreTakenAndTheFaultIsTold()
    {
        ConcurrentDictionary<string, bool> broken = [];
        using MeterListener listener = new() { InstrumentPublished = Enable };
        Hear(listener, name =>
        {
            if (name is "gen_ai.server.time_to_first_token" or "kimilinear.token.interval" && broken.TryAdd(name, true))
            {
                throw new InvalidOperationException("The listener is broken.");
            }
        });
        listener.Start();
        using EngineHarness harness = new(tiny, Options);

        int[] reply = await harness.AskAsync(1, maxTokens: 9);
        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);

        Assert.Equal(await harness.AloneAsync(1, maxTokens: 9), reply);
        Assert.Equal(2, broken.Count);
        Assert.Equal(9, Assert.Single(_measured, item => item.Name == "kimilinear.request.generated_tokens").Value);
        Assert.Equal(3, _measured.Count(item => item.Name == "kimilinear.tokens"));
        Assert.Equal(7, _measured.Count(item => item.Name == "kimilinear.token.interval"));
        Assert.Equal("The listener is broken.", Assert.Single(_faults).Message);
    }

    [Fact]
    public async Task Engine_ListenerFailsWhenInstrumentsComeAndGo_ServesAndEnds()
    {
        bool isBroken = true;
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                Enable(instrument, self);
                if (instrument.Name == "kimilinear.queue.duration")
                {
                    throw new InvalidOperationException("The listener is broken.");
                }
            },
            MeasurementsCompleted = (_, _) =>
            {
                if (isBroken)
                {
                    throw new InvalidOperationException("The listener is broken still.");
                }
            },
        };
        Hear(listener, _ => { });
        listener.Start();
        EngineHarness harness = new(tiny, Options);

        int[] reply = await harness.AskAsync(1, maxTokens: 9);
        await harness.Engine.WhenIdleAsync(TestContext.Current.CancellationToken);
        harness.Dispose();
        // So that disposing the listener itself succeeds.
        isBroken = false;

        Assert.Equal(await harness.AloneAsync(1, maxTokens: 9), reply);
        Assert.Contains(_measured, item => item.Name == "gen_ai.server.request.duration");
        Assert.Equal("The listener is broken.", Assert.Single(_faults).Message);
        Assert.Throws<ObjectDisposedException>(() => harness.Engine.GenerateAsync(harness.Prompt(1)));
    }

    [Theory]
    [InlineData("sample")]
    [InlineData("start")]
    [InlineData("stop")]
    public async Task GenerateAsync_ListenerOfSpansFails_ReplyIsWholeAndOthersHear(string when)
    {
        ConcurrentBag<Activity> ended = [];
        using ActivityListener other = Listener(ended.Add);
        ActivitySource.AddActivityListener(other);
        using ActivityListener broken = Listener(_ => Fail("stop"));
        broken.Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
        {
            Fail("sample");
            return ActivitySamplingResult.AllData;
        };
        broken.ActivityStarted = _ => Fail("start");
        ActivitySource.AddActivityListener(broken);
        using EngineHarness harness = new(tiny, Options);
        Activity? before = Activity.Current;

        int[] reply = await harness.AskAsync(1, maxTokens: 9);

        Assert.Same(before, Activity.Current);
        Assert.Equal(await harness.AloneAsync(1, maxTokens: 9), reply);
        Assert.Equal($"{when} is broken.", Assert.Single(_faults).Message);
        if (when != "sample")
        {
            Assert.Equal(9, Assert.Single(ended).GetTagItem("gen_ai.usage.output_tokens"));
        }

        void Fail(string point)
        {
            if (point == when)
            {
                throw new InvalidOperationException($"{point} is broken.");
            }
        }
    }

    [Fact]
    public void FindSource_ListenerFailsWhenItIsMade_NextEngineMakesItAndAllFurtherOnesHaveIt()
    {
        bool isBroken = false;
        using ActivityListener listener = Listener(_ => { });
        listener.ShouldListenTo = _ => isBroken ? throw new InvalidOperationException("The listener is broken.") : true;
        ActivitySource.AddActivityListener(listener);
        ActivitySource? held = null;
        TelemetryFaults faults = new(_faults.Add);

        isBroken = true;
        ActivitySource? first = EngineSpans.FindSource(ref held, faults);
        isBroken = false;
        ActivitySource? second = EngineSpans.FindSource(ref held, faults);
        ActivitySource? third = EngineSpans.FindSource(ref held, faults);

        Assert.Null(first);
        Assert.Equal("The listener is broken.", Assert.Single(_faults).Message);
        Assert.Equal(GenerationEngine.TelemetryName, second?.Name);
        Assert.Same(second, third);
        second!.Dispose();
    }

    [Fact]
    public async Task GenerateAsync_ListenerOfSpansFailsBelowAnotherSpan_ThatOneGoesOn()
    {
        using ActivityListener broken = Listener(_ => { });
        broken.Sample = (ref ActivityCreationOptions<ActivityContext> _) => throw new InvalidOperationException("The listener is broken.");
        ActivitySource.AddActivityListener(broken);
        using EngineHarness harness = new(tiny, Options);
        using Activity outer = new Activity("outer").Start();

        await harness.AskAsync(1, maxTokens: 9);

        Assert.Equal("The listener is broken.", Assert.Single(_faults).Message);
        Assert.Same(outer, Activity.Current);
        Assert.Empty(outer.TagObjects);
        Assert.Equal(TimeSpan.Zero, outer.Duration);
    }

    [Fact]
    public async Task GenerateAsync_HandlerOfFaultsFails_ReplyIsWhole()
    {
        using ActivityListener broken = Listener(_ => throw new InvalidOperationException("The listener is broken."));
        ActivitySource.AddActivityListener(broken);
        using EngineHarness harness = new(
            tiny, new EngineOptions { TelemetryFaultHandler = _ => throw new InvalidOperationException("So is the handler.") });

        Assert.Equal(await harness.AloneAsync(1, maxTokens: 9), await harness.AskAsync(1, maxTokens: 9));
    }

    private static ActivityListener Listener(Action<Activity> stopped) => new()
    {
        ShouldListenTo = source => source.Name == GenerationEngine.TelemetryName,
        Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        ActivityStopped = stopped,
    };

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name == GenerationEngine.TelemetryName)
        {
            listener.EnableMeasurementEvents(instrument);
        }
    }

    private void Hear(MeterListener listener, Action<string> fail)
    {
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Note(instrument, value));
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Note(instrument, value));
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => Note(instrument, value));

        void Note(Instrument instrument, double value)
        {
            fail(instrument.Name);
            _measured.Add((instrument.Name, value));
        }
    }
}
