using System.Globalization;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;

namespace Kimi.Benchmarking;

/// <summary>Writes what callers met, as a table or as JSON.</summary>
internal static class StressReport
{
    private const string NotMeasured = "–";

    public static void WriteTable(CommandTerminal terminal, string device, IReadOnlyList<StressRow> rows, CallerBench bench)
    {
        TextTable setting = new();
        setting.Add("machine", Machine.Description);
        setting.Add("runs on", device);
        setting.WriteTo(terminal, title: "Many callers");
        TextTable results = new("test", "requests", "tokens/s", "first token, median", "99 of 100", "cancelled", "not as alone");
        foreach (StressRow row in rows)
        {
            results.Add(
                row.Test,
                row.RequestCount.ToString("N0", CultureInfo.InvariantCulture),
                row.TokensPerSecond > 0 ? row.TokensPerSecond.ToString("N0", CultureInfo.InvariantCulture) : NotMeasured,
                Milliseconds(row, 0.5),
                Milliseconds(row, 0.99),
                row.CancelledCount.ToString("N0", CultureInfo.InvariantCulture),
                row.DifferentCount?.ToString("N0", CultureInfo.InvariantCulture) ?? NotMeasured);
        }

        results.WriteTo(terminal);
        if (bench.Memory.Count > 0)
        {
            TextTable memory = new("minute", "process", "sequences and prefixes");
            foreach ((TimeSpan at, long workingSet, long engineBytes) in bench.Memory)
            {
                memory.Add(
                    at.TotalMinutes.ToString("0.0", CultureInfo.InvariantCulture), ByteText.Of(workingSet), ByteText.Of(engineBytes));
            }

            memory.WriteTo(terminal);
        }
    }

    /// <summary>Writes how a server answered.</summary>
    public static void Write(CommandTerminal terminal, StressRow row, ServerBench bench, bool asJson)
    {
        if (asJson)
        {
            terminal.Output.WriteLine(JsonSerializer.Serialize(
                new
                {
                    row.Test,
                    Requests = row.RequestCount,
                    ChunksPerSecond = row.TokensPerSecond,
                    FirstTokenMedianMs = row.FirstTokenMilliseconds(0.5),
                    FirstTokenP99Ms = row.FirstTokenMilliseconds(0.99),
                    Outcomes = bench.Outcomes.ToDictionary(pair => pair.Outcome, pair => pair.Count),
                },
                JsonText.Compact));
            return;
        }

        TextTable results = new("test", "requests", "chunks/s", "first token, median", "99 of 100", "outcomes");
        results.Add(
            row.Test,
            row.RequestCount.ToString("N0", CultureInfo.InvariantCulture),
            row.TokensPerSecond.ToString("N0", CultureInfo.InvariantCulture),
            Milliseconds(row, 0.5),
            Milliseconds(row, 0.99),
            string.Join(", ", bench.Outcomes.Select(
                pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Outcome}: {pair.Count:N0}"))));
        results.WriteTo(terminal);
    }

    /// <summary>Writes one object per row.</summary>
    public static void WriteJson(CommandTerminal terminal, IReadOnlyList<StressRow> rows)
    {
        foreach (StressRow row in rows)
        {
            terminal.Output.WriteLine(JsonSerializer.Serialize(
                new
                {
                    row.Test,
                    Requests = row.RequestCount,
                    row.TokensPerSecond,
                    FirstTokenMedianMs = row.FirstTokenMilliseconds(0.5),
                    FirstTokenP99Ms = row.FirstTokenMilliseconds(0.99),
                    Cancelled = row.CancelledCount,
                    NotAsAlone = row.DifferentCount,
                },
                JsonText.Compact));
        }
    }

    private static string Milliseconds(StressRow row, double part) =>
        string.Create(CultureInfo.InvariantCulture, $"{row.FirstTokenMilliseconds(part):N1} ms");
}
