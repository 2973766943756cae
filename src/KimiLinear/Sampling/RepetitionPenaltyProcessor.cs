namespace KimiLinear.Sampling;

/// <summary>Weakens every token that stands in the prompt or the reply, once, however often it does.</summary>
/// <remarks>Belongs to one request, whose tokens only grow: each is looked at once.</remarks>
internal sealed class RepetitionPenaltyProcessor(float penalty, int vocabularySize) : ILogitsProcessor
{
    private readonly bool[] _seen = new bool[vocabularySize];
    private bool _promptSeen;
    private int _generatedSeen;

    public void Process(in LogitsContext context, Span<float> logits)
    {
        Notice(context);

        ReadOnlySpan<bool> rest = _seen;
        int start = 0;
        for (int offset = rest.IndexOf(true); offset >= 0; offset = rest[start..].IndexOf(true))
        {
            ref float logit = ref logits[start + offset];
            logit = logit > 0 ? logit / penalty : logit * penalty;
            start += offset + 1;
        }
    }

    private void Notice(in LogitsContext context)
    {
        if (!_promptSeen)
        {
            Mark(context.PromptTokenIds);
            _promptSeen = true;
        }

        Mark(context.GeneratedTokenIds[_generatedSeen..]);
        _generatedSeen = context.GeneratedTokenIds.Length;
    }

    private void Mark(ReadOnlySpan<int> tokenIds)
    {
        foreach (int tokenId in tokenIds)
        {
            _seen[tokenId] = true;
        }
    }
}
