using System.CommandLine;
using Kimi.CommandLine;
using Kimi.Evaluation.Reports;
using Kimi.Evaluation.Runs;
using Kimi.Terminal;

namespace Kimi.Commands;

/// <summary>Says whether two runs differ.</summary>
internal static class EvalCompareCommand
{
    public static readonly string[] Examples =
    [
        "kimi eval compare runs/gsm8k-48b runs/gsm8k-35b",
        "kimi eval compare runs/gsm8k-48b runs/gsm8k-35b --out reports/gsm8k",
    ];

    public static Command Create(CommandTerminal terminal)
    {
        Argument<string> a = new("A") { Description = "The folder of a run." };
        Argument<string> b = new("B") { Description = "The folder of another run of the same benchmark." };
        Option<bool> json = new("--json") { Description = "Write JSON instead of Markdown." };
        Option<string?> folder = new("--out", "-o")
        {
            Description = "Write comparison.md, comparison.json and comparison.svg into this folder as well.",
            HelpName = "DIR",
        };
        Command command = new(
            "compare",
            "Compares two runs item by item: McNemar's exact test, and the difference with its interval from drawing pairs.")
        {
            a, b, json, folder,
        };
        command.SetAction(result =>
        {
            string? path = result.GetValue(folder);
            if (path is not null)
            {
                OutputFile.RequireWritableFolder("--out", path);
            }

            Comparison comparison = Comparison.Of(
                RunFiles.Read(result.GetRequiredValue(a)), RunFiles.Read(result.GetRequiredValue(b)));
            if (path is not null)
            {
                Directory.CreateDirectory(path);
                RunFiles.WriteWhole(Path.Combine(path, ComparisonReport.JsonName), ComparisonReport.Json(comparison));
                RunFiles.WriteWhole(Path.Combine(path, ComparisonReport.ChartName), ComparisonReport.Chart(comparison));
                RunFiles.WriteWhole(
                    Path.Combine(path, ComparisonReport.MarkdownName), ComparisonReport.Markdown(comparison, hasChart: true));
            }

            terminal.Output.Write(result.GetValue(json)
                ? ComparisonReport.Json(comparison)
                : ComparisonReport.Markdown(comparison, hasChart: false));
        });
        return command;
    }
}
