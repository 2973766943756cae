namespace KimiLinear.Sampling;

/// <summary>Keeps the tokens whose probability is at least a share of the highest one.</summary>
internal sealed class MinPProcessor(float minP) : ILogitsProcessor
{
    private readonly float _logMinP = MathF.Log(minP);

    // p ≥ minP · p_max is the same test in log space, so no softmax is needed.
    public void Process(in LogitsContext context, Span<float> logits)
    {
        float threshold = LogitsArithmetic.Max(logits) + _logMinP;
        LogitRanking.Mask(logits, threshold, keptTies: int.MaxValue);
    }
}
