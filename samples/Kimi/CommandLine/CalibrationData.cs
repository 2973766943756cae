using Kimi.Terminal;
using KimiLinear.Calibration;
using KimiLinear.Pruning;
using KimiLinear.Tokenization;

namespace Kimi.CommandLine;

/// <summary>Reads calibration data for a model, saying how far it has come.</summary>
internal static class CalibrationData
{
    public static CalibrationTokens Read(
        string modelPath, IReadOnlyList<CalibrationFile> files, CalibrationOptions options, CommandTerminal terminal)
    {
        ReadingProgress progress = new(terminal.Status);
        CalibrationTokens data = CalibrationReader.Read(
            files, LoadTokenizer(modelPath), options, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return data;
    }

    // Who works with token ids needs none.
    private static KimiTokenizer? LoadTokenizer(string modelPath)
    {
        try
        {
            return KimiTokenizer.Load(modelPath);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private sealed class ReadingProgress(StatusLine status) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value) => status.Show(
            $"Reading {value.FileName}: {value.RecordCount:N0} of {value.TotalRecordCount:N0} records, {value.TokenCount:N0} tokens");
    }
}
