using System.Diagnostics;

namespace KimiLinear.Model;

/// <summary>Counts what has been packed and reports it, not too often.</summary>
/// <param name="total">Bytes of source in all.</param>
/// <param name="before">Bytes that an earlier call packed; they do not count for the rate.</param>
/// <param name="progress">Told about it, or <see langword="null"/>.</param>
internal sealed class PackMeter(long total, long before, IProgress<ModelPackProgress>? progress)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    // A rate measured over less than this says nothing yet.
    private static readonly TimeSpan ShortestMeasure = TimeSpan.FromSeconds(1);

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _packed;
    private long _lastReport;

    /// <summary>Counts bytes of source that have been packed.</summary>
    public void Advance(long byteCount, string step)
    {
        _packed += byteCount;
        if (_lastReport == 0 || Stopwatch.GetElapsedTime(_lastReport) >= Interval)
        {
            Report(step);
        }
    }

    /// <summary>Reports at once.</summary>
    public void Report(string step)
    {
        _lastReport = Stopwatch.GetTimestamp();
        long done = before + _packed;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        double rate = elapsed < ShortestMeasure ? 0 : _packed / elapsed.TotalSeconds;
        TimeSpan? left = rate > 0 ? TimeSpan.FromSeconds(Math.Ceiling((total - done) / rate)) : null;
        progress?.Report(new ModelPackProgress(done, total, rate, left, step));
    }
}
