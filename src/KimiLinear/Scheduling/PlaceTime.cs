namespace KimiLinear.Scheduling;

/// <summary>How often requests end lately, which is how often places become free.</summary>
/// <param name="time">Tells the time.</param>
internal sealed class PlaceTime(TimeProvider time)
{
    // How much of the estimate a new interval replaces.
    private const double Weight = 0.1;

    private long _last = time.GetTimestamp();
    private double _seconds = 1;

    /// <summary>Counts a request that ended and returns the time between two, at least a second.</summary>
    /// <param name="submittedAt">When the request came: that nothing ended before, since nothing was there, says nothing.</param>
    public TimeSpan Next(long submittedAt)
    {
        long now = time.GetTimestamp();
        double interval = time.GetElapsedTime(Math.Max(_last, submittedAt), now).TotalSeconds;
        _last = now;
        _seconds += Weight * (interval - _seconds);
        return TimeSpan.FromSeconds(Math.Max(1, _seconds));
    }
}
