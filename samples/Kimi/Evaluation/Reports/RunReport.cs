using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation.Runs;

namespace Kimi.Evaluation.Reports;

/// <summary>Writes what a run found: for programs, for people, and as a picture.</summary>
internal static class RunReport
{
    private const string JsonName = "report.json";
    private const string MarkdownName = "report.md";
    private const string ChartName = "scores.svg";

    /// <summary>Writes all three into the run's folder.</summary>
    public static void Write(RunSummary summary, RunFolder<RunProtocol, ItemResult> folder)
    {
        folder.Write(JsonName, Json(summary));
        folder.Write(ChartName, Chart(summary));
        folder.Write(MarkdownName, Markdown(summary));
    }

    private static string Json(RunSummary summary) => JsonSerializer.Serialize(summary, JsonText.Indented) + "\n";

    private static string Chart(RunSummary summary) => ScoreChart.Draw(
        $"{summary.Run.Title}: {summary.Run.Model}",
        [.. summary.Scores.Select(row => (Label(row), row.Value, row.Interval, 0))]);

    private static string Markdown(RunSummary summary)
    {
        RunProtocol run = summary.Run;
        StringBuilder text = new($"# {run.Title}\n\n");
        text.Append($"Model: `{run.Model}`, `{run.Location}`.\n\n");
        text.Append("| score | items | right | value | 95 % interval |\n|---|---|---|---|---|\n");
        foreach (ScoreRow row in summary.Scores)
        {
            text.Append(
                $"| {Cell(Label(row))} | {row.Items:N0} | {row.Correct:N0} of {row.Replies:N0} | {Percent(row.Value)} | "
                + $"{Percent(row.Interval.Low)} – {Percent(row.Interval.High)} ({row.Method}) |\n");
        }

        text.Append($"\n![Scores]({ChartName})\n\n");
        if (summary.PassAtSamples is double passAt)
        {
            text.Append($"pass@{run.Samples}: {Percent(passAt)}.\n\n");
        }

        text.Append("| replies | count |\n|---|---|\n");
        foreach ((string outcome, int count) in summary.Outcomes)
        {
            text.Append($"| {outcome} | {count:N0} |\n");
        }

        text.Append($"| cut off at {run.MaxTokens:N0} tokens | {summary.Truncated:N0} |\n");
        text.Append($"| degenerate (distinct-4 below 0.55) | {summary.Degenerate:N0} |\n\n");
        text.Append($"Tokens read {summary.InputTokens:N0}, written {summary.OutputTokens:N0}.\n\n## Protocol\n\n");
        text.Append($"- {run.Protocol}\n");
        text.Append($"- data: `{run.Data}`, SHA-256 `{run.DataSha256}`, {run.Items:N0} items, {Replies(run.Samples)}\n");
        text.Append(run.Since is null ? "" : $"- problems since {run.Since:yyyy-MM-dd}\n");
        text.Append(run.Until is null ? "" : $"- problems until {run.Until:yyyy-MM-dd}\n");
        text.Append($"- at most {run.MaxTokens:N0} tokens, temperature {run.Temperature:0.##}");
        text.Append(run.TopP is null ? $", seed {run.Seed}\n" : $", top-p {run.TopP:0.##}, seed {run.Seed}\n");
        text.Append(run.MaxInputTokens is int most ? $"- prompts of at most {most:N0} tokens, the middle removed\n" : "");
        text.Append(run.Judge is null ? "" : $"- answers compared by `{run.Judge}`\n");
        text.Append(run.Sandbox is null ? "" : $"- programs run by Python {run.Python}, held by: {run.Sandbox}\n");
        return text.ToString();
    }

    /// <summary>A share as people read it.</summary>
    public static string Percent(double share) => $"{share * 100:0.0} %";

    private static string Label(ScoreRow row) => row.Group is null ? row.Name : $"{row.Name}, {row.Group}";

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static string Replies(int count) => count == 1 ? "one reply each" : $"{count} replies each";
}
