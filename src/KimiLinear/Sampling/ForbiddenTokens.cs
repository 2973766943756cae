namespace KimiLinear.Sampling;

/// <summary>Tokens of which a request draws none, though every other draw stays what it was.</summary>
/// <remarks>
/// They keep their scores, so that a reply that never meets one is the same to the last bit. In the chain it looks at the scores
/// before they are narrowed: when nothing but forbidden tokens is left in the draw, the best of the others must be known.
/// </remarks>
internal sealed class ForbiddenTokens(IReadOnlyList<int> tokenIds) : ILogitsProcessor
{
    private readonly int[] _tokenIds = [.. tokenIds];
    private readonly float[] _scores = new float[tokenIds.Count];

    /// <summary>
    /// Gets the best token that is not forbidden, as the scores were before they were narrowed, or <see cref="Sampler.NoToken"/>.
    /// Known where a forbidden token has the highest score; nothing else can leave forbidden tokens alone in the draw.
    /// </summary>
    public int BestBeforeNarrowing { get; private set; }

    public bool Contains(int tokenId) => Array.IndexOf(_tokenIds, tokenId) >= 0;

    public void Process(in LogitsContext context, Span<float> logits)
    {
        BestBeforeNarrowing = Sampler.NoToken;
        float max = LogitsArithmetic.Max(logits);
        foreach (int tokenId in _tokenIds)
        {
            if (tokenId < logits.Length && logits[tokenId] == max)
            {
                BestBeforeNarrowing = BestOther(logits);
                return;
            }
        }
    }

    /// <summary>Finds the best token that is not forbidden, or <see cref="Sampler.NoToken"/>; the scores stay as they are.</summary>
    public int BestOther(Span<float> logits)
    {
        for (int i = 0; i < _tokenIds.Length; i++)
        {
            _scores[i] = _tokenIds[i] < logits.Length ? logits[_tokenIds[i]] : 0;
        }

        Overwrite(logits, float.NegativeInfinity);
        float max = LogitsArithmetic.Max(logits);
        int best = float.IsNegativeInfinity(max) ? Sampler.NoToken : LogitsArithmetic.IndexOf(logits, max);
        for (int i = 0; i < _tokenIds.Length; i++)
        {
            if (_tokenIds[i] < logits.Length)
            {
                logits[_tokenIds[i]] = _scores[i];
            }
        }

        return best;
    }

    /// <summary>Gives all forbidden tokens one score or weight.</summary>
    public void Overwrite(Span<float> values, float value)
    {
        foreach (int tokenId in _tokenIds)
        {
            if (tokenId < values.Length)
            {
                values[tokenId] = value;
            }
        }
    }
}
