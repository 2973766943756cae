namespace KimiLinear.Sampling;

/// <summary>Adds a number to the logits of single tokens.</summary>
internal sealed class LogitBiasProcessor(IReadOnlyDictionary<int, float> bias) : ILogitsProcessor
{
    private readonly KeyValuePair<int, float>[] _bias = [.. bias];

    public void Process(in LogitsContext context, Span<float> logits)
    {
        foreach ((int tokenId, float change) in _bias)
        {
            // An infinite bias is an order, not a sum: added to the opposite infinity it would give NaN.
            logits[tokenId] = float.IsInfinity(change) ? change : logits[tokenId] + change;
        }
    }
}
