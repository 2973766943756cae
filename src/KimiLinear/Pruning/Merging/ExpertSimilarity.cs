namespace KimiLinear.Pruning;

/// <summary>What experts are compared by when they are merged.</summary>
public enum ExpertSimilarity
{
    /// <summary>The mean of an expert's output over all tokens, whether or not they were routed to it.</summary>
    MeanOutput,

    /// <summary>
    /// The outputs for each token: the mean distance over the tokens that visit one of the two ("TTM"). Always the cosine distance.
    /// </summary>
    TokenOutputs,

    /// <summary>
    /// The router's logits for all tokens. The cosine distances of two experts' logits to those of all experts are themselves compared,
    /// as the published program does.
    /// </summary>
    RouterLogits,
}
