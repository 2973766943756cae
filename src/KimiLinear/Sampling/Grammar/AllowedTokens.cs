using KimiLinear.Tokenization;

namespace KimiLinear.Sampling;

/// <summary>Forbids all tokens but those of a mask and a few single ones.</summary>
/// <remarks>Belongs to one request; allocates nothing per token.</remarks>
/// <param name="stopTokenIds">The tokens that end the reply, forbidden unless they are added.</param>
internal sealed class AllowedTokens(int[] stopTokenIds)
{
    private const int MaxMarkers = 2;

    private readonly int[] _single = new int[stopTokenIds.Length + MaxMarkers];
    private readonly float[] _singleLogits = new float[stopTokenIds.Length + MaxMarkers];
    private readonly float[] _scratch = new float[TokenMask.MaxListed];
    private int _singleCount;

    /// <summary>Forgets the single tokens.</summary>
    public void Clear() => _singleCount = 0;

    /// <summary>Allows a single token.</summary>
    public void Add(int tokenId) => _single[_singleCount++] = tokenId;

    /// <summary>Allows the tokens that end the reply.</summary>
    public void AddStops()
    {
        foreach (int tokenId in stopTokenIds)
        {
            Add(tokenId);
        }
    }

    /// <summary>Forbids all but the tokens of a mask and the single ones.</summary>
    /// <param name="mask">The tokens.</param>
    /// <param name="logits">The scores. [N]</param>
    public void Keep(TokenMask mask, Span<float> logits)
    {
        Save(logits);
        mask.Apply(logits, _scratch);
        Restore(logits);
    }

    /// <summary>Forbids all but some tokens and the single ones.</summary>
    /// <param name="tokenIds">The tokens, at most <see cref="TokenMask.MaxListed"/>.</param>
    /// <param name="logits">The scores. [N]</param>
    public void Keep(ReadOnlySpan<int> tokenIds, Span<float> logits)
    {
        Save(logits);
        TokenMask.Keep(tokenIds, logits, _scratch);
        Restore(logits);
    }

    /// <summary>Forbids the ordinary tokens outside a mask, and the markers of calls but the first.</summary>
    /// <param name="mask">The ordinary tokens.</param>
    /// <param name="tokenizer">Knows which tokens there are.</param>
    /// <param name="markers">The markers; that which begins the calls is one of the single tokens.</param>
    /// <param name="logits">The scores. [N]</param>
    public void KeepText(TokenMask mask, KimiTokenizer tokenizer, ToolCallTokens markers, Span<float> logits)
    {
        Save(logits);
        mask.Apply(logits[..Math.Min(tokenizer.BaseVocabularySize, logits.Length)], _scratch);
        logits[Math.Min(tokenizer.VocabularySize, logits.Length)..].Fill(float.NegativeInfinity);
        Forbid(markers.All, logits);
        Restore(logits);
    }

    private void Save(ReadOnlySpan<float> logits)
    {
        for (int i = 0; i < _singleCount; i++)
        {
            _singleLogits[i] = _single[i] < logits.Length ? logits[_single[i]] : 0;
        }
    }

    // A token that ends the reply may be an ordinary one, and one of the mask.
    private void Restore(Span<float> logits)
    {
        Forbid(stopTokenIds, logits);
        for (int i = 0; i < _singleCount; i++)
        {
            if (_single[i] < logits.Length)
            {
                logits[_single[i]] = _singleLogits[i];
            }
        }
    }

    private static void Forbid(int[] tokenIds, Span<float> logits)
    {
        foreach (int tokenId in tokenIds)
        {
            if (tokenId < logits.Length)
            {
                logits[tokenId] = float.NegativeInfinity;
            }
        }
    }
}
