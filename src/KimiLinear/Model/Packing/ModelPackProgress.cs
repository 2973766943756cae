namespace KimiLinear.Model;

/// <summary>How far packing has come.</summary>
/// <param name="PackedBytes">Bytes of source weights packed so far, those of an earlier call that was stopped included.</param>
/// <param name="TotalBytes">Bytes of source weights in all.</param>
/// <param name="BytesPerSecond">How fast this call packs source weights, on average; 0 until that is known.</param>
/// <param name="TimeLeft">How long the rest will take at this rate; <see langword="null"/> until that is known.</param>
/// <param name="Step">What is being done, for people.</param>
public readonly record struct ModelPackProgress(
    long PackedBytes, long TotalBytes, double BytesPerSecond, TimeSpan? TimeLeft, string Step)
{
    /// <summary>Gets the part done, from 0 to 1.</summary>
    public double Fraction => TotalBytes == 0 ? 1 : (double)PackedBytes / TotalBytes;
}
