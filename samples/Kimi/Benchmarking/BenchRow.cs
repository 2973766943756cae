namespace Kimi.Benchmarking;

/// <summary>One line of results.</summary>
/// <param name="Test">Its name as benchmarks of language models write it: pp512, tg64, tg64@d4096.</param>
/// <param name="Depth">The tokens in the context before.</param>
/// <param name="IsPrefill">Whether a prompt was processed; otherwise tokens were decoded.</param>
/// <param name="TokensPerSecond">The mean over the runs.</param>
/// <param name="Spread">The standard deviation of it.</param>
internal sealed record BenchRow(string Test, int Depth, bool IsPrefill, double TokensPerSecond, double Spread)
{
    /// <summary>What one token moved between memory and processor.</summary>
    public long? BytesPerToken { get; init; }

    /// <summary>What one token allocated on the managed heap.</summary>
    public double? ManagedBytesPerToken { get; init; }

    /// <summary>How fast the machine reads memory, in 10⁹ bytes per second.</summary>
    public double? ReadGigabytesPerSecond { get; init; }

    /// <summary>How fast decoding moved memory, in 10⁹ bytes per second.</summary>
    public double? GigabytesPerSecond => BytesPerToken * TokensPerSecond / 1e9;

    /// <summary>The part of the machine's speed that decoding reached.</summary>
    public double? BandwidthShare => GigabytesPerSecond / ReadGigabytesPerSecond;
}
