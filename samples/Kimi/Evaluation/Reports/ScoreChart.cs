using System.Globalization;
using System.Net;
using System.Text;
using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Reports;

/// <summary>Draws scores as bars with their intervals, as SVG.</summary>
internal static class ScoreChart
{
    private const int LabelWidth = 260;
    private const int BarWidth = 480;
    private const int ValueWidth = 160;
    private const int RowHeight = 26;
    private const int Top = 44;
    private const int Bottom = 30;

    private static readonly string[] Colours = ["#4c78a8", "#f58518"];

    /// <summary>Draws the bars from above to below.</summary>
    /// <param name="title">What stands above.</param>
    /// <param name="bars">Label, value and interval of each, from 0 to 1, and which model's it is, from 0.</param>
    public static string Draw(string title, IReadOnlyList<(string Label, double Value, Interval Interval, int Model)> bars)
    {
        int width = LabelWidth + BarWidth + ValueWidth;
        int height = Top + (bars.Count * RowHeight) + Bottom;
        StringBuilder svg = new();
        Line(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" "
            + $"viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">");
        Line(svg, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Line(svg, $"<text x=\"12\" y=\"26\" font-size=\"16\">{Escape(title)}</text>");
        for (int percent = 0; percent <= 100; percent += 20)
        {
            double x = At(percent / 100.0);
            Line(svg, $"<line x1=\"{x:0.#}\" x2=\"{x:0.#}\" y1=\"{Top}\" y2=\"{height - Bottom}\" stroke=\"#ddd\"/>");
            Line(svg, $"<text x=\"{x:0.#}\" y=\"{height - 10}\" text-anchor=\"middle\" fill=\"#555\">{percent} %</text>");
        }

        for (int i = 0; i < bars.Count; i++)
        {
            (string label, double value, Interval interval, int model) = bars[i];
            double y = Top + (i * RowHeight);
            double middle = y + (RowHeight / 2.0);
            Line(svg, $"<text x=\"{LabelWidth - 10}\" y=\"{middle + 4:0.#}\" text-anchor=\"end\">{Escape(label)}</text>");
            Line(svg, $"<rect x=\"{LabelWidth}\" y=\"{y + 5:0.#}\" width=\"{value * BarWidth:0.##}\" height=\"{RowHeight - 10}\" "
                + $"fill=\"{Colours[model]}\"/>");
            Line(svg, $"<path d=\"M{At(interval.Low):0.##} {middle - 5:0.#}v10m0-5H{At(interval.High):0.##}m0-5v10\" "
                + "stroke=\"black\" fill=\"none\"/>");
            Line(svg, $"<text x=\"{LabelWidth + BarWidth + 10}\" y=\"{middle + 4:0.#}\">{value * 100:0.0} % "
                + $"({interval.Low * 100:0.0}–{interval.High * 100:0.0})</text>");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static double At(double share) => LabelWidth + (share * BarWidth);

    private static void Line(StringBuilder svg, FormattableString line) =>
        svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private static void Line(StringBuilder svg, string line) => svg.Append(line).Append('\n');

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
