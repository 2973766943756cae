namespace KimiLinear.Calibration;

/// <summary>A file of calibration data.</summary>
/// <param name="Path">The file: JSON Lines, one record per line.</param>
/// <param name="Weight">Its share of a limit on tokens or records against the other files, above 0.</param>
public sealed record CalibrationFile(string Path, double Weight = 1);
