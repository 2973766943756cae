namespace KimiLinear.Sampling;

/// <summary>The frequency and the presence penalty: a token loses score for each time it was generated, and once more.</summary>
/// <remarks>Belongs to one request, whose tokens only grow: each is counted once. The prompt does not count.</remarks>
internal sealed class CountPenaltyProcessor(float frequencyPenalty, float presencePenalty, int vocabularySize) : ILogitsProcessor
{
    private readonly int[] _counts = new int[vocabularySize];
    private int _generatedSeen;

    public void Process(in LogitsContext context, Span<float> logits)
    {
        foreach (int tokenId in context.GeneratedTokenIds[_generatedSeen..])
        {
            _counts[tokenId]++;
        }

        _generatedSeen = context.GeneratedTokenIds.Length;

        ReadOnlySpan<int> counts = _counts;
        int start = 0;
        for (int offset = counts.IndexOfAnyExcept(0); offset >= 0; offset = counts[start..].IndexOfAnyExcept(0))
        {
            int tokenId = start + offset;
            logits[tokenId] -= (frequencyPenalty * counts[tokenId]) + presencePenalty;
            start = tokenId + 1;
        }
    }
}
