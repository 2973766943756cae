using System.Globalization;
using System.Net;
using System.Text;

namespace KimiLinear.Pruning;

/// <summary>Draws a plan as an SVG picture: a row for each layer, a cell for each expert, darker the higher its score.</summary>
/// <remarks>
/// Scores are coloured by their rank within a layer, since their size differs much from layer to layer. A dropped expert is crossed
/// out, a protected one framed. Without scores, what is kept is dark.
/// </remarks>
internal static class SaliencyMap
{
    // A few experts get wide cells, hundreds narrow ones.
    private const int WideCell = 14;
    private const int NarrowCell = 6;
    private const int ManyExperts = 64;
    private const int CellHeight = 14;

    // A cell without the gap to the next.
    private const int High = CellHeight - 1;

    // What the title takes.
    private const int MinWidth = 560;

    private const int Left = 64;
    private const int Top = 64;
    private const int Right = 24;
    private const int Bottom = 56;

    // Where the numbers of the experts are written below.
    private const int ExpertStep = 16;

    // From light to dark: the ends of the colour scale.
    private static readonly (int R, int G, int B) Light = (0xF7, 0xFB, 0xFF);
    private static readonly (int R, int G, int B) Dark = (0x08, 0x30, 0x6B);

    public static void Write(PruningPlan plan, Stream stream)
    {
        (int experts, int layers) = (plan.Model.ExpertCount, plan.Layers.Count);
        int cellWidth = experts > ManyExperts ? NarrowCell : WideCell;
        int wide = cellWidth - 1;
        int width = Math.Max(Left + (experts * cellWidth) + Right, MinWidth);
        int height = Top + (layers * CellHeight) + Bottom;
        using StreamWriter writer = new(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        Line($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" """);
        Line($"""font-family="sans-serif" font-size="11">""");
        Line($"""<title>{Escape(Title(plan))}</title>""");
        Line($"""<rect width="{width}" height="{height}" fill="#ffffff"/>""");
        Line($"""<text x="{Left}" y="24" font-size="15">{Escape(Title(plan))}</text>""");
        Line($"""<text x="{Left}" y="44" fill="#555555">{Escape(Legend(plan))}</text>""");
        for (int row = 0; row < layers; row++)
        {
            WriteRow(plan, plan.Layers[row], Top + (row * CellHeight));
        }

        for (int expert = 0; expert < experts; expert += ExpertStep)
        {
            Line($"""<text x="{Left + (expert * cellWidth)}" y="{Top + (layers * CellHeight) + 14}">{expert}</text>""");
        }

        Line($"""<text x="{Left}" y="{Top + (layers * CellHeight) + 34}" fill="#555555">expert, by its number in the source</text>""");
        Line($"</svg>");

        void WriteRow(PruningPlan plan, LayerPlan layer, int y)
        {
            Line($"""<text x="{Left - 8}" y="{y + CellHeight - 3}" text-anchor="end">layer {layer.LayerIndex}</text>""");
            HashSet<int> kept = [.. layer.KeptExperts];
            HashSet<int> guarded = [.. layer.ProtectedExperts];
            double[] ranks = Ranks(layer, plan.Model.ExpertCount, kept);
            for (int expert = 0; expert < ranks.Length; expert++)
            {
                int x = Left + (expert * cellWidth);
                string tip = layer.Scores.Count == 0
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture, $", score {layer.Scores[expert]:G6}");
                string fate = !kept.Contains(expert) ? "dropped" : guarded.Contains(expert) ? "protected" : "kept";
                string frame = guarded.Contains(expert) ? " stroke=\"#d95f02\"" : "";
                Line($"""<g><title>layer {layer.LayerIndex}, expert {expert}: {fate}{tip}</title>""");
                Line($"""<rect x="{x}" y="{y}" width="{wide}" height="{High}" fill="{Colour(ranks[expert])}"{frame}/>""");
                if (!kept.Contains(expert))
                {
                    Line($"""<path class="dropped" d="M{x} {y}l{wide} {High}m0 -{High}l-{wide} {High}" stroke="#c51b1b"/>""");
                }

                Line($"</g>");
            }
        }

        void Line(FormattableString line) => writer.WriteLine(line.ToString(CultureInfo.InvariantCulture));
    }

    // From 0 for the lowest to 1 for the highest; equal scores get the same.
    private static double[] Ranks(LayerPlan layer, int expertCount, HashSet<int> kept)
    {
        if (layer.Scores.Count == 0)
        {
            return [.. Enumerable.Range(0, expertCount).Select(expert => kept.Contains(expert) ? 1.0 : 0)];
        }

        double[] sorted = [.. layer.Scores.Distinct().Order()];
        return [.. layer.Scores.Select(score => sorted.Length == 1 ? 1 : Array.BinarySearch(sorted, score) / (sorted.Length - 1.0))];
    }

    private static string Title(PruningPlan plan)
    {
        int before = plan.Layers.Count * plan.Model.ExpertCount;
        int after = plan.Layers.Sum(layer => layer.KeptExperts.Count);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{plan.Model.Name}: {plan.Criterion} keeps {after} of {before} experts ({100.0 * after / before:F1} %)");
    }

    private static string Legend(PruningPlan plan) => plan.Layers.Any(layer => layer.Scores.Count > 0)
        ? "Darker: a higher score within its layer. Crossed out: dropped. Framed: protected."
        : "Dark: kept. Crossed out: dropped. Framed: protected.";

    private static string Colour(double rank)
    {
        return $"#{Mix(Light.R, Dark.R):x2}{Mix(Light.G, Dark.G):x2}{Mix(Light.B, Dark.B):x2}";

        int Mix(int low, int high) => (int)Math.Round(low + (rank * (high - low)));
    }

    // What XML forbids even escaped has no place in a picture.
    private static string Escape(string text) =>
        WebUtility.HtmlEncode(new string([.. text.Where(character => character >= ' ' && !char.IsSurrogate(character))]));
}
