namespace KimiLinear.Calibration;

/// <summary>A file of calibration data.</summary>
/// <param name="Path">The file: JSON Lines, one record per line.</param>
/// <param name="Weight">Its share of a limit on tokens or records against the other files, above 0.</param>
public sealed record CalibrationFile(string Path, double Weight = 1)
{
    /// <summary>Gets how many records to use of it, no fewer and no more; limits for all files cannot be given then.</summary>
    /// <value>The default, <see langword="null"/>, is its share of the limits, or all of it.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public long? RecordCount
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1, nameof(RecordCount));
            field = value;
        }
    }

    /// <summary>Gets the data set that it was found for, to be told in the result.</summary>
    /// <value>The default is <see langword="null"/>: the file was named itself.</value>
    public CalibrationDataSet? DataSet { get; init; }
}
