namespace KimiLinear.Scheduling;

/// <summary>Guesses how a text goes on from where its last tokens stood before: code, names and quotations repeat themselves.</summary>
/// <remarks>Source: Saxena, Prompt Lookup Decoding, 2023. The search reads every token once and remembers nothing.</remarks>
internal static class PromptLookup
{
    // Shorter matches are chance more often than not.
    private const int MatchTokens = 3;

    /// <summary>Fills a draft with what followed the latest earlier place that ends in the same tokens.</summary>
    /// <param name="tokens">The text so far.</param>
    /// <param name="draft">Receives the guess.</param>
    /// <returns>The number of tokens guessed, 0 when the end of the text is new.</returns>
    public static int Guess(ReadOnlySpan<int> tokens, Span<int> draft)
    {
        if (tokens.Length <= MatchTokens)
        {
            return 0;
        }

        int found = tokens[..^1].LastIndexOf(tokens[^MatchTokens..]);
        if (found < 0)
        {
            return 0;
        }

        // Where the text ends before the guess does, it is taken to go round in a circle.
        ReadOnlySpan<int> next = tokens[(found + MatchTokens)..];
        for (int i = 0; i < draft.Length; i++)
        {
            draft[i] = i < next.Length ? next[i] : draft[i - next.Length];
        }

        return draft.Length;
    }
}
