using System.Globalization;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>The page that tells how a pruned model was made; the same plan and source give the same page.</summary>
/// <param name="name">What the pruned model is called.</param>
/// <param name="source">The model it comes from.</param>
/// <param name="config">That model's configuration.</param>
/// <param name="plan">What is kept of it.</param>
internal sealed class PrunedModelCard(string name, ModelLocation source, KimiLinearConfig config, PruningPlan plan)
{
    private readonly StringBuilder _text = new();

    /// <summary>Writes the page.</summary>
    /// <param name="weights">The weight files.</param>
    /// <param name="hashOf">The SHA-256 of each by its name.</param>
    /// <param name="sourceBytes">The size of the source's weight files.</param>
    public string Write(PrunedFiles weights, Func<string, string> hashOf, long sourceBytes)
    {
        int kept = plan.KeptExpertCount!.Value;
        KimiLinearConfig after = config with { ExpertCount = kept };
        _ = _text.Clear();
        if (source.Name.Contains('/', StringComparison.Ordinal))
        {
            // Only a name on the hub means something there.
            Line($"---\nbase_model: {source.Name}\n---\n");
        }

        Line($"# {name}\n");
        Line($"{source.Name} with {kept} of its {config.ExpertCount} routed experts in each of {plan.Layers.Count} layers. ");
        Line($"Nothing was trained or quantised: every tensor is a copy of the source's, or some of its rows.\n");
        Line($"| | {source.Name} | {name} |\n|---|---|---|");
        Line($"| routed experts per layer | {config.ExpertCount} | {kept} |");
        Line($"| active experts per token | {config.ActiveExpertCount} | {config.ActiveExpertCount} |");
        Line($"| parameters | {Parameters(config):N0} | {Parameters(after):N0} |");
        Line($"| bytes of weight files | {sourceBytes:N0} | {weights.TotalBytes:N0} |\n");
        WriteChoice();
        Line($"## How it was written\n");
        Line($"By copying: the dropped experts' tensors are left out and the others are numbered anew; the rows of the routers and the ");
        Line($"entries of their correction bias go along with their experts; of the configuration, the number of experts changes. ");
        Line($"`{PrunedModelFiles.PlanFileName}` names the experts kept. The same source and plan give the same files:\n");
        Line($"    kimi prune SOURCE TARGET --plan {PrunedModelFiles.PlanFileName}\n");
        Line($"| file | SHA-256 |\n|---|---|");
        foreach (PrunedFile file in weights.Files)
        {
            Line($"| {file.FileName} | {hashOf(file.FileName)} |");
        }

        Line($"\n## What it costs\n");
        Line($"This page does not know: that is to be measured. Pruning loses most where the calibration data had nothing of the kind.");
        Line($"The terms of {source.Name} apply to this copy.");
        return _text.ToString();
    }

    private static long Parameters(KimiLinearConfig config) =>
        CheckpointSchema.Expected(config).Sum(tensor => tensor.Shape.ElementCount);

    private void WriteChoice()
    {
        Line($"## How the experts were chosen\n");
        Line($"- criterion: {plan.Criterion}");
        if (plan.GateMode is { } mode)
        {
            Line($"- weight of an expert's output: {GateModeName.Of(mode)}");
        }

        if (plan.Ratio is decimal ratio)
        {
            Line($"- part to be dropped: {ratio}");
        }

        if (plan.Seed is int seed)
        {
            Line($"- seed: {seed}");
        }

        int guarded = plan.Layers.Sum(layer => layer.ProtectedExperts.Count);
        if (guarded > 0)
        {
            Line($"- kept whatever their score: {guarded} experts");
        }

        if (plan.Model.Fingerprint.Length > 0)
        {
            Line($"- fingerprint of the source's routers: {plan.Model.Fingerprint}");
        }

        Line($"");
        if (plan.Calibration.Count == 0)
        {
            return;
        }

        Line($"| calibration data | SHA-256 | records used | tokens |\n|---|---|---|---|");
        foreach (CalibrationSource data in plan.Calibration.SelectMany(summary => summary.Sources))
        {
            // As code, or [subset](split) would be a link.
            string name = data.DataSet is { } set ? $"`{set}`" : data.FileName;
            Line($"| {name} | {data.Sha256} | {data.UsedRecordCount:N0} | {data.TokenCount:N0} |");
        }

        Line($"");
    }

    private void Line(FormattableString line)
    {
        string text = line.ToString(CultureInfo.InvariantCulture);

        // A space at the end says that the paragraph goes on.
        _ = text.EndsWith(' ') ? _text.Append(text) : _text.Append(text).Append('\n');
    }
}
