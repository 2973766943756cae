namespace Kimi.Evaluation.Perplexity;

/// <summary>
/// What one document says of a model: a line of such a run's <c>items.jsonl</c>. All sums are over its predicted tokens.
/// </summary>
internal sealed record DocumentResult
{
    /// <summary>Its place in the file, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>How many tokens were predicted: all but the first.</summary>
    public required int Tokens { get; init; }

    /// <summary>The sum of −ln p of the tokens that come.</summary>
    public required double Loss { get; init; }

    /// <summary>The same of the reference.</summary>
    public double? ReferenceLoss { get; init; }

    /// <summary>The sum of the Kullback–Leibler divergence of the model from the reference, in nats.</summary>
    public double? Divergence { get; init; }

    /// <summary>How often both find the same token the most likely.</summary>
    public int? Agreements { get; init; }
}
