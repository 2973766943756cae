namespace KimiLinear.Pruning;

/// <summary>One file of calibration data, and what was used of it.</summary>
public sealed record CalibrationSource
{
    /// <summary>Gets the file's name, without its folder.</summary>
    public required string FileName { get; init; }

    /// <summary>
    /// Gets the data set that the file was found for, as <c>name[subset](split):N</c>; <see langword="null"/> when the file was named
    /// itself.
    /// </summary>
    public string? DataSet { get; init; }

    /// <summary>Gets the SHA-256 of the file's bytes, in hexadecimal.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Gets the form of its records, as "messages" or "xlam".</summary>
    public required string Format { get; init; }

    /// <summary>Gets the weight the file was given against the others, above 0.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Gets the number of records in the file.</summary>
    public required long RecordCount { get; init; }

    /// <summary>Gets the number of records that were used.</summary>
    public required long UsedRecordCount { get; init; }

    /// <summary>Gets how many of those that were used were cut, because they were too long.</summary>
    public required long TruncatedRecordCount { get; init; }

    /// <summary>Gets the number of tokens that were used.</summary>
    public required long TokenCount { get; init; }
}
