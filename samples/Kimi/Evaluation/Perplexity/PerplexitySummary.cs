using System.Globalization;
using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation.Runs;
using Kimi.Evaluation.Statistics;

namespace Kimi.Evaluation.Perplexity;

/// <summary>What such a run says. All intervals are of 95 %, from drawing documents anew.</summary>
internal sealed record PerplexitySummary
{
    private const string JsonName = "report.json";
    private const string MarkdownName = "report.md";

    public required PerplexityProtocol Run { get; init; }

    /// <summary>How many tokens were predicted.</summary>
    public required long Tokens { get; init; }

    /// <summary>exp of the mean loss.</summary>
    public required Estimate Perplexity { get; init; }

    /// <summary>The same of the reference.</summary>
    public Estimate? ReferencePerplexity { get; init; }

    /// <summary>The model's perplexity over the reference's, document by document.</summary>
    public Estimate? PerplexityRatio { get; init; }

    /// <summary>The mean divergence of the model from the reference over tokens, in nats.</summary>
    public Estimate? Divergence { get; init; }

    /// <summary>The share of tokens for which both find the same one the most likely.</summary>
    public Estimate? Agreement { get; init; }

    public static PerplexitySummary Of(PerplexityProtocol protocol, IReadOnlyList<DocumentResult> results)
    {
        double[] tokens = [.. results.Select(result => (double)result.Tokens)];
        bool hasReference = protocol.Reference is not null;
        return new PerplexitySummary
        {
            Run = protocol,
            Tokens = results.Sum(result => (long)result.Tokens),
            Perplexity = Mean(result => result.Loss).Exp(),
            ReferencePerplexity = hasReference ? Mean(result => result.ReferenceLoss!.Value).Exp() : null,
            PerplexityRatio = hasReference ? Mean(result => result.Loss - result.ReferenceLoss!.Value).Exp() : null,
            Divergence = hasReference ? Mean(result => result.Divergence!.Value) : null,
            Agreement = hasReference ? Mean(result => result.Agreements!.Value) : null,
        };

        Estimate Mean(Func<DocumentResult, double> value)
        {
            double[] values = [.. results.Select(value)];
            return new Estimate(values.Sum() / tokens.Sum(), Bootstrap.OfRatio(values, tokens, (ulong)protocol.Seed));
        }
    }

    /// <summary>Writes the reports into the run's folder.</summary>
    public void Write(RunFolder<PerplexityProtocol, DocumentResult> folder)
    {
        folder.Write(JsonName, JsonSerializer.Serialize(this, JsonText.Indented) + "\n");
        folder.Write(MarkdownName, Markdown());
    }

    /// <summary>The values as people read them: what, how much, and the interval.</summary>
    public IEnumerable<(string Name, string Value, string Interval)> Rows()
    {
        yield return Row("perplexity", Perplexity, "0.000");
        if (Run.Reference is not null)
        {
            yield return Row("perplexity of the reference", ReferencePerplexity!, "0.000");
            yield return Row("ratio of perplexities", PerplexityRatio!, "0.0000");
            yield return Row("KL divergence from the reference, nats a token", Divergence!, "0.000000");
            yield return Row("same most likely token", Agreement!, "0.0 %");
        }
    }

    private static (string Name, string Value, string Interval) Row(string name, Estimate estimate, string format) => (
        name,
        estimate.Value.ToString(format, CultureInfo.InvariantCulture),
        estimate.Interval.Low.ToString(format, CultureInfo.InvariantCulture) + " – "
            + estimate.Interval.High.ToString(format, CultureInfo.InvariantCulture));

    private string Markdown()
    {
        StringBuilder text = new($"# Perplexity\n\nModel: `{Run.Model}`, `{Run.Location}`");
        text.Append(Run.Format is null ? ".\n\n" : $", loaded as {Run.Format}.\n\n");
        text.Append(Run.Reference is null ? "" : $"Reference: `{Run.Reference}`, `{Run.ReferenceLocation}`.\n\n");
        text.Append("| | value | 95 % interval |\n|---|---|---|\n");
        foreach ((string name, string value, string interval) in Rows())
        {
            text.Append($"| {name} | {value} | {interval} |\n");
        }

        text.Append($"\n{Run.Documents:N0} documents of `{Run.Data}` (SHA-256 `{Run.DataSha256}`), {Tokens:N0} predicted ");
        text.Append($"tokens. Each document begins anew and is cut after {Run.MaxLength:N0} tokens; every token but the first ");
        text.Append("is predicted from all before it. Intervals come from drawing documents anew.\n");
        return text.ToString();
    }
}
