using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Reports;

/// <summary>Writes how two models compare.</summary>
internal static class ComparisonReport
{
    public const string JsonName = "comparison.json";
    public const string MarkdownName = "comparison.md";
    public const string ChartName = "comparison.svg";

    public static string Json(Comparison comparison) => JsonSerializer.Serialize(comparison, JsonText.Indented) + "\n";

    public static string Chart(Comparison comparison) => ScoreChart.Draw(
        $"{comparison.A.Title}: A {comparison.A.Model}, B {comparison.B.Model}",
        [
            .. comparison.Scores.SelectMany(score => new (string, double, Interval, int)[]
            {
                ($"{score.Name} of A", score.A, score.IntervalOfA, 0),
                ($"{score.Name} of B", score.B, score.IntervalOfB, 1),
            }),
        ]);

    public static string Markdown(Comparison comparison, bool hasChart)
    {
        StringBuilder text = new($"# {comparison.A.Title}, two models\n\n");
        text.Append($"- A: `{comparison.A.Model}`, `{comparison.A.Location}`\n");
        text.Append($"- B: `{comparison.B.Model}`, `{comparison.B.Location}`\n");
        text.Append($"- {comparison.Items:N0} items that both answered");
        text.Append(comparison.ItemsLeftOut == 0 ? "\n" : $"; {comparison.ItemsLeftOut:N0} that only one did are left out\n");
        foreach (string difference in comparison.Differences)
        {
            text.Append($"- **A and B were asked differently**: {difference}\n");
        }

        text.Append("\n| score | A | B | B − A | only A right | only B right | p (McNemar) | result |\n");
        text.Append("|---|---|---|---|---|---|---|---|\n");
        foreach (ComparedScore score in comparison.Scores)
        {
            text.Append($"| {score.Name} | {WithInterval(score.A, score.IntervalOfA)} | ");
            text.Append($"{WithInterval(score.B, score.IntervalOfB)} | ");
            text.Append($"{Points(score.Difference)} ({Points(score.IntervalOfDifference.Low)} to ");
            text.Append($"{Points(score.IntervalOfDifference.High)}) | {score.OnlyA:N0} | {score.OnlyB:N0} | ");
            text.Append($"{score.PValue:0.0000} | {score.Words} |\n");
        }

        text.Append("\nIntervals are of 95 %: of A and B by Wilson (one reply an item) or bootstrap over items; of B − A by ");
        text.Append("bootstrap over pairs. Judge the difference by its own interval and by p, not by whether theirs overlap. ");
        text.Append("\"No difference shown\" says that these items cannot tell the models apart, not that they are equal.\n");
        return text.Append(hasChart ? $"\n![Scores]({ChartName})\n" : "").ToString();
    }

    private static string WithInterval(double value, Interval interval) =>
        $"{RunReport.Percent(value)} ({interval.Low * 100:0.0}–{interval.High * 100:0.0})";

    private static string Points(double difference) => $"{difference * 100:+0.0;−0.0;0.0}";
}
