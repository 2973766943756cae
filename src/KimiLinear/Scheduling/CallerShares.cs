namespace KimiLinear.Scheduling;

/// <summary>Keeps account of the time each caller's requests took, so that all callers with work get the same.</summary>
/// <remarks>
/// Start-time fair queueing in milliseconds of estimated work: whoever has used the least comes next. A caller who begins, or
/// comes back, starts at the least that anybody with work has used: nobody saves up time by waiting, be it for its own reader.
/// </remarks>
internal sealed class CallerShares
{
    private readonly Dictionary<object, Share> _shares = [];
    private long _round;

    /// <summary>Counts a request of a caller in.</summary>
    public void Enter(object caller)
    {
        if (!_shares.TryGetValue(caller, out Share? share))
        {
            share = new Share { UsedMilliseconds = LeastUsed(), LastRound = _round };
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

    /// <summary>Begins a round: notes who has work in it. Whoever waits for its own reader alone has none.</summary>
    /// <param name="running">All requests that have a place.</param>
    /// <param name="waiting">All others.</param>
    public void BeginRound(List<EngineRequest> running, List<EngineRequest> waiting)
    {
        _round++;
        foreach (EngineRequest request in running)
        {
            if (!request.IsPaused)
            {
                NoteWork(_shares[request.Caller]);
            }
        }

        foreach (EngineRequest request in waiting)
        {
            if (request.MayGoOn)
            {
                NoteWork(_shares[request.Caller]);
            }
        }
    }

    /// <summary>Milliseconds a caller's requests have used.</summary>
    public double Used(object caller) => _shares[caller].UsedMilliseconds;

    /// <summary>Charges a caller for work.</summary>
    public void Charge(object caller, double milliseconds) => _shares[caller].UsedMilliseconds += milliseconds;

    private void NoteWork(Share share)
    {
        if (!HasWork(share))
        {
            share.UsedMilliseconds = Math.Max(share.UsedMilliseconds, LeastUsed());
        }

        share.LastRound = _round;
    }

    // Of those with work; if nobody has any, of those who had it last.
    private double LeastUsed()
    {
        if (_shares.Count == 0)
        {
            return 0;
        }

        long since = Math.Min(_round - 1, _shares.Values.Max(share => share.LastRound));
        return _shares.Values.Where(share => share.LastRound >= since).Min(share => share.UsedMilliseconds);
    }

    // Those not named yet in this round count as they did in the one before.
    private bool HasWork(Share share) => share.LastRound >= _round - 1;

    private sealed class Share
    {
        public double UsedMilliseconds { get; set; }

        public int RequestCount { get; set; }

        /// <summary>The last round in which it had work.</summary>
        public long LastRound { get; set; }
    }
}
