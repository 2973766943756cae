namespace Kimi.Benchmarking;

/// <summary>One line of results.</summary>
/// <param name="Test">What was done.</param>
/// <param name="RequestCount">How many requests there were.</param>
/// <param name="TokensPerSecond">Tokens of all replies together by the time it took.</param>
/// <param name="FirstTokens">How long each request waited for its first token.</param>
internal sealed record StressRow(string Test, int RequestCount, double TokensPerSecond, IReadOnlyList<TimeSpan> FirstTokens)
{
    /// <summary>Replies that were cancelled on the way, as planned.</summary>
    public int CancelledCount { get; init; }

    /// <summary>Replies that were not those the same request gets alone.</summary>
    public int? DifferentCount { get; init; }

    /// <summary>The time within which a part of the requests had their first token, in milliseconds.</summary>
    public double FirstTokenMilliseconds(double part)
    {
        TimeSpan[] sorted = [.. FirstTokens.Order()];
        return sorted.Length == 0 ? 0 : sorted[Math.Min((int)(sorted.Length * part), sorted.Length - 1)].TotalMilliseconds;
    }
}
