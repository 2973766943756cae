namespace KimiLinear.Sampling;

/// <summary>Builds the chain of processors a request asks for, in the one order there is.</summary>
internal static class LogitsProcessors
{
    /// <summary>Builds the chain; a step that would change nothing is left out.</summary>
    /// <param name="options">What the request asks for.</param>
    /// <param name="vocabularySize">The number of logits (N).</param>
    /// <param name="constraint">What the reply is held to, or <see langword="null"/>.</param>
    /// <param name="forbidden">The tokens that are never drawn, or <see langword="null"/>.</param>
    public static ILogitsProcessor[] Build(
        SamplingOptions options, int vocabularySize, ReplyConstraint? constraint = null, ForbiddenTokens? forbidden = null)
    {
        List<ILogitsProcessor> chain = [];

        if (options.LogitBias is { Count: > 0 } bias)
        {
            chain.Add(new LogitBiasProcessor(bias));
        }

        if (options.RepetitionPenalty != 1)
        {
            chain.Add(new RepetitionPenaltyProcessor(options.RepetitionPenalty, vocabularySize));
        }

        if (options.FrequencyPenalty != 0 || options.PresencePenalty != 0)
        {
            chain.Add(new CountPenaltyProcessor(options.FrequencyPenalty, options.PresencePenalty, vocabularySize));
        }

        chain.AddRange(options.Processors.Select(processor => new UserProcessor(processor)));

        // Last of all that may allow or forbid a token: a demanded token does not break the grammar.
        if (constraint is not null)
        {
            chain.Add(constraint);
        }

        if (!options.IsGreedy)
        {
            AddDrawShaping(chain, options, vocabularySize, forbidden);
        }

        return [.. chain];
    }

    // None of these changes which score is the highest, so greedy decoding needs none of them.
    private static void AddDrawShaping(
        List<ILogitsProcessor> chain, SamplingOptions options, int vocabularySize, ForbiddenTokens? forbidden)
    {
        if (options.Temperature != 1)
        {
            chain.Add(new TemperatureProcessor(options.Temperature));
        }

        if (forbidden is not null)
        {
            chain.Add(forbidden);
        }

        if (options.TopK > 0 && options.TopK < vocabularySize)
        {
            chain.Add(new TopKProcessor(options.TopK));
        }

        if (options.TopP < 1)
        {
            chain.Add(new TopPProcessor(options.TopP, vocabularySize));
        }

        if (options.MinP > 0)
        {
            chain.Add(new MinPProcessor(options.MinP));
        }
    }
}
