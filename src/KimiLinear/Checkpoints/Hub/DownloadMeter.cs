using System.Diagnostics;

namespace KimiLinear.Checkpoints;

/// <summary>Adds up what several files report, and passes it on now and then.</summary>
/// <remarks>Safe to use from many threads; reports come one at a time.</remarks>
internal sealed class DownloadMeter(
    IProgress<ModelDownloadProgress>? progress, IReadOnlyCollection<HubFile> files, TimeSpan interval)
{
    private readonly Lock _lock = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly long _total = files.Sum(file => file.Size);
    private readonly Dictionary<string, long> _positions = [];
    private long _done;
    private long _received;
    private int _filesDone;
    private long _lastReport;

    /// <summary>Says how much of a file is there, and how many of those bytes have just come in.</summary>
    public void Move(HubFile file, long position, int received = 0)
    {
        lock (_lock)
        {
            Set(file, position);
            _received += received;
            if (_lastReport == 0 || Stopwatch.GetElapsedTime(_lastReport) >= interval)
            {
                Report(file);
            }
        }
    }

    /// <summary>Says that a file is there, whole.</summary>
    public void Complete(HubFile file)
    {
        lock (_lock)
        {
            Set(file, file.Size);
            _filesDone++;
            Report(file);
        }
    }

    private void Set(HubFile file, long position)
    {
        _done += position - _positions.GetValueOrDefault(file.Path);
        _positions[file.Path] = position;
    }

    private void Report(HubFile file)
    {
        _lastReport = Stopwatch.GetTimestamp();
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        double rate = seconds > 0 ? _received / seconds : 0;
        progress?.Report(new ModelDownloadProgress(file.Path, _done, _total, _filesDone, files.Count, rate));
    }
}
