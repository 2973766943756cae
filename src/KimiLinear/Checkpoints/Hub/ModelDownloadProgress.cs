namespace KimiLinear.Checkpoints;

/// <summary>How far the download of a model, or its verification, has come.</summary>
/// <param name="File">The file that this report is about; several are fetched at a time.</param>
/// <param name="BytesDone">
/// Bytes of the model that are there, those of earlier downloads included. Falls when a file has to be fetched again.
/// </param>
/// <param name="BytesTotal">Bytes of the model in all.</param>
/// <param name="FilesDone">Files that are there, whole.</param>
/// <param name="FilesTotal">Files in all.</param>
/// <param name="BytesPerSecond">How fast this call takes bytes in, on average; 0 until that is known.</param>
public readonly record struct ModelDownloadProgress(
    string File, long BytesDone, long BytesTotal, int FilesDone, int FilesTotal, double BytesPerSecond)
{
    /// <summary>Gets the part done, from 0 to 1.</summary>
    public double Fraction => BytesTotal == 0 ? 1 : (double)BytesDone / BytesTotal;
}
