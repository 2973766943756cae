namespace KimiLinear.Pruning;

/// <summary>How far writing a pruned model, or comparing one with its original, has come.</summary>
/// <param name="DoneBytes">Bytes done so far, those of an earlier call that was stopped included.</param>
/// <param name="TotalBytes">Bytes in all.</param>
/// <param name="BytesPerSecond">How fast this call goes on, on average; 0 until that is known.</param>
/// <param name="TimeLeft">How long the rest will take at this rate; <see langword="null"/> until that is known.</param>
/// <param name="Step">What is being done, for people.</param>
public readonly record struct PruneProgress(
    long DoneBytes, long TotalBytes, double BytesPerSecond, TimeSpan? TimeLeft, string Step)
{
    /// <summary>Gets the part done, from 0 to 1.</summary>
    public double Fraction => TotalBytes == 0 ? 1 : (double)DoneBytes / TotalBytes;
}
