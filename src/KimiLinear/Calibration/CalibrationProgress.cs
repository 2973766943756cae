namespace KimiLinear.Calibration;

/// <summary>How far reading calibration data has come.</summary>
/// <param name="FileName">The file that is being read, without its folder.</param>
/// <param name="RecordCount">The records of it that were read so far.</param>
/// <param name="TotalRecordCount">The records it has; 0 while they are being counted.</param>
/// <param name="TokenCount">The tokens of all files so far.</param>
public readonly record struct CalibrationProgress(string FileName, long RecordCount, long TotalRecordCount, long TokenCount);
