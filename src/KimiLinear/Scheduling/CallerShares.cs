namespace KimiLinear.Scheduling;

/// <summary>Keeps account of the time each caller's requests took, so that all callers with work get the same.</summary>
/// <remarks>
/// Start-time fair queueing in milliseconds of estimated work: whoever has used the least comes next. A caller who begins, or
/// comes back, starts at the least that anybody with work has used: nobody saves up time by waiting.
/// </remarks>
internal sealed class CallerShares
{
    private readonly Dictionary<object, Share> _shares = [];

    /// <summary>Counts a request of a caller in.</summary>
    public void Enter(object caller)
    {
        if (!_shares.TryGetValue(caller, out Share? share))
        {
            share = new Share { UsedMilliseconds = LeastUsed() };
            _shares.Add(caller, share);
        }

        share.RequestCount++;
    }

    /// <summary>Counts a request of a caller out; the last one's account is closed.</summary>
    public void Leave(object caller)
    {
        if (--_shares[caller].RequestCount == 0)
        {
            _shares.Remove(caller);
        }
    }

    /// <summary>Milliseconds a caller's requests have used.</summary>
    public double Used(object caller) => _shares[caller].UsedMilliseconds;

    /// <summary>Charges a caller for work.</summary>
    public void Charge(object caller, double milliseconds) => _shares[caller].UsedMilliseconds += milliseconds;

    private double LeastUsed()
    {
        double least = double.MaxValue;
        foreach (Share share in _shares.Values)
        {
            least = Math.Min(least, share.UsedMilliseconds);
        }

        return _shares.Count == 0 ? 0 : least;
    }

    private sealed class Share
    {
        public double UsedMilliseconds { get; set; }

        public int RequestCount { get; set; }
    }
}
