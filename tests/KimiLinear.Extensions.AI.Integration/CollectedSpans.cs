using System.Diagnostics;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <summary>Keeps the spans of a source of its own.</summary>
internal sealed class CollectedSpans : IDisposable
{
    private readonly ActivityListener _listener;

    public CollectedSpans()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Spans.Add,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public string Source { get; } = Guid.NewGuid().ToString();

    public List<Activity> Spans { get; } = [];

    /// <summary>
    /// Usage is summed over the calls of the model, and the span around them all carries the sum once more.
    /// </summary>
    public void RequireTwice(UsageDetails? usage)
    {
        Assert.NotNull(usage);
        Assert.Equal(2 * usage.InputTokenCount, Sum("gen_ai.usage.input_tokens"));
        Assert.Equal(2 * usage.OutputTokenCount, Sum("gen_ai.usage.output_tokens"));
    }

    public void Dispose() => _listener.Dispose();

    private long Sum(string tag) => Spans.Sum(span => (long)((int?)span.GetTagItem(tag) ?? 0));
}
