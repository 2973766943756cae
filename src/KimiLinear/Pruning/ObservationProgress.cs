namespace KimiLinear.Pruning;

/// <summary>How far an observation has come.</summary>
/// <param name="DoneTokens">
/// Tokens read so far, those of an earlier call that was stopped included; layer by layer, they count once for each layer.
/// </param>
/// <param name="TotalTokens">Tokens to be read in all.</param>
/// <param name="TokensPerSecond">How fast this call reads them, on average; 0 until that is known.</param>
/// <param name="TimeLeft">How long the rest will take at this rate; <see langword="null"/> until that is known.</param>
/// <param name="Step">What is being done, for people.</param>
public readonly record struct ObservationProgress(
    long DoneTokens, long TotalTokens, double TokensPerSecond, TimeSpan? TimeLeft, string Step)
{
    /// <summary>Gets the part done, from 0 to 1.</summary>
    public double Fraction => TotalTokens == 0 ? 1 : (double)DoneTokens / TotalTokens;
}
