namespace KimiLinear.Model;

/// <summary>How far the loading of a model has come.</summary>
/// <param name="LoadedBytes">Bytes of weights taken in so far.</param>
/// <param name="TotalBytes">Bytes of weights in all.</param>
/// <param name="Step">What is being done, for people.</param>
public readonly record struct ModelLoadProgress(long LoadedBytes, long TotalBytes, string Step)
{
    /// <summary>Gets the part done, from 0 to 1.</summary>
    public double Fraction => TotalBytes == 0 ? 1 : (double)LoadedBytes / TotalBytes;
}
