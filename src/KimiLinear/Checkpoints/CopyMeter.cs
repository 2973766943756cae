using System.Diagnostics;

namespace KimiLinear.Checkpoints;

/// <summary>Counts the bytes of a model that have been worked through and reports them, not too often.</summary>
/// <param name="total">Bytes in all.</param>
/// <param name="before">Bytes that an earlier call worked through; they do not count for the rate.</param>
/// <param name="report">Told about it.</param>
internal sealed class CopyMeter(long total, long before, CopyMeter.ReportHandler report)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    // A rate measured over less than this says nothing yet.
    private static readonly TimeSpan ShortestMeasure = TimeSpan.FromSeconds(1);

    private readonly long _start = Stopwatch.GetTimestamp();
    private long _done;
    private long _lastReport;

    /// <summary>Takes a report: bytes done and in all, bytes a second or 0, the time left if known, and what is being done.</summary>
    public delegate void ReportHandler(long doneBytes, long totalBytes, double bytesPerSecond, TimeSpan? timeLeft, string step);

    /// <summary>Counts bytes that have been worked through.</summary>
    public void Advance(long byteCount, string step)
    {
        _done += byteCount;
        if (_lastReport == 0 || Stopwatch.GetElapsedTime(_lastReport) >= Interval)
        {
            Report(step);
        }
    }

    /// <summary>Reports at once.</summary>
    public void Report(string step)
    {
        _lastReport = Stopwatch.GetTimestamp();
        long done = before + _done;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        double rate = elapsed < ShortestMeasure ? 0 : _done / elapsed.TotalSeconds;
        TimeSpan? left = rate > 0 ? TimeSpan.FromSeconds(Math.Ceiling((total - done) / rate)) : null;
        report(done, total, rate, left, step);
    }
}
