namespace Kimi.Evaluation.Perplexity;

/// <summary>What the scores of a next token say, in float64.</summary>
internal static class TokenScores
{
    /// <summary>−ln p of a token, in nats.</summary>
    public static double Loss(ReadOnlySpan<float> logits, int tokenId) => LogSum(logits) - logits[tokenId];

    /// <summary>The Kullback–Leibler divergence Σ p ln(p / q) of q, a model, from p, its reference, in nats.</summary>
    public static double Divergence(ReadOnlySpan<float> reference, ReadOnlySpan<float> model)
    {
        double logSumOfReference = LogSum(reference);
        double logSumOfModel = LogSum(model);
        double divergence = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double logP = reference[i] - logSumOfReference;
            double p = Math.Exp(logP);

            // A token that the reference excludes adds nothing, whatever the model thinks of it.
            divergence += p == 0 ? 0 : p * (logP - (model[i] - logSumOfModel));
        }

        // Rounding may leave the divergence of equal scores a little below zero, where none is.
        return Math.Max(divergence, 0);
    }

    /// <summary>The most likely token; of equals the first.</summary>
    public static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }

    // ln Σ exp, with the largest taken out so that nothing overflows.
    private static double LogSum(ReadOnlySpan<float> logits)
    {
        double largest = logits[Best(logits)];
        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        return largest + Math.Log(sum);
    }
}
