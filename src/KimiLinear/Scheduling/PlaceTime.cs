using System.Diagnostics;

namespace KimiLinear.Scheduling;

/// <summary>How often requests end lately, which is how often places become free.</summary>
internal sealed class PlaceTime
{
    // How much of the estimate a new interval replaces.
    private const double Weight = 0.1;

    private long _last = Stopwatch.GetTimestamp();
    private double _seconds = 1;

    /// <summary>Counts a request that ended and returns the time between two, at least a second.</summary>
    public TimeSpan Next()
    {
        double interval = Stopwatch.GetElapsedTime(_last).TotalSeconds;
        _last = Stopwatch.GetTimestamp();
        _seconds += Weight * (interval - _seconds);
        return TimeSpan.FromSeconds(Math.Max(1, _seconds));
    }
}
