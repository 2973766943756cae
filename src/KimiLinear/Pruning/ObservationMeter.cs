using System.Diagnostics;

namespace KimiLinear.Pruning;

/// <summary>Makes progress of counted tokens.</summary>
internal sealed class ObservationMeter(long totalTokens, long doneBefore, IProgress<ObservationProgress>? progress)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _doneNow;

    public void Add(int tokenCount, string step)
    {
        _doneNow += tokenCount;
        if (progress is null)
        {
            return;
        }

        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        double rate = seconds > 0 ? _doneNow / seconds : 0;
        long done = doneBefore + _doneNow;
        TimeSpan? left = rate > 0 ? TimeSpan.FromSeconds((totalTokens - done) / rate) : null;
        progress.Report(new ObservationProgress(done, totalTokens, rate, left, step));
    }
}
