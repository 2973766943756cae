using System.Globalization;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;

namespace Kimi.Benchmarking;

/// <summary>Writes the results of a benchmark, as a table or as JSON.</summary>
internal static class BenchReport
{
    private const string NotMeasured = "–";

    public static void WriteTable(CommandTerminal terminal, BenchSubject subject, IReadOnlyList<BenchRow> rows)
    {
        TextTable setting = new();
        setting.Add("machine", Machine.Description);
        setting.Add("runs on", subject.Model.DeviceDescription);
        setting.Add("because", subject.Model.DeviceReason);
        setting.Add("model", subject.Description);
        setting.Add("weights", string.Create(
            CultureInfo.InvariantCulture, $"{subject.Format}, {subject.Model.WeightBytes / 1e9:0.###} GB"));
        setting.WriteTo(terminal, title: "Benchmark");

        TextTable results = new("test", "tokens/s", "bytes/token", "GB/s", "read GB/s", "share", "managed bytes/token");
        foreach (BenchRow row in rows)
        {
            results.Add(
                row.Test,
                string.Create(CultureInfo.InvariantCulture, $"{row.TokensPerSecond:N2} ± {row.Spread:N2}"),
                Text(row.BytesPerToken, "N0"),
                Text(row.GigabytesPerSecond, "0.00"),
                Text(row.ReadGigabytesPerSecond, "0.00"),
                Text(row.BandwidthShare, "P0"),
                Text(row.ManagedBytesPerToken, "0.##"));
        }

        results.WriteTo(terminal);
    }

    /// <summary>Writes one object per row; what a row does not measure is null.</summary>
    public static void WriteJson(
        CommandTerminal terminal, BenchSubject subject, BenchSettings settings, IReadOnlyList<BenchRow> rows)
    {
        foreach (BenchRow row in rows)
        {
            terminal.Output.WriteLine(JsonSerializer.Serialize(
                new
                {
                    Model = subject.Description,
                    subject.Shape,
                    subject.Format,
                    Threads = settings.LoadOptions.ThreadCount,
                    row.Depth,
                    Prompt = row.IsPrefill ? settings.PromptTokens : (int?)null,
                    Generated = row.IsPrefill ? (int?)null : settings.GeneratedTokens,
                    settings.Repeat,
                    PrefillTokensPerSecond = row.IsPrefill ? row.TokensPerSecond : (double?)null,
                    DecodeTokensPerSecond = row.IsPrefill ? (double?)null : row.TokensPerSecond,
                    row.BytesPerToken,
                    ReadBandwidthGbPerSecond = row.ReadGigabytesPerSecond,
                    row.BandwidthShare,
                    row.ManagedBytesPerToken,
                },
                JsonText.Compact));
        }
    }

    private static string Text<T>(T? value, string format)
        where T : struct, IFormattable => value?.ToString(format, CultureInfo.InvariantCulture) ?? NotMeasured;
}
