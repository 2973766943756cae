namespace KimiLinear.Sampling;

/// <summary>Runs a processor of the application's own and checks what it leaves behind.</summary>
internal sealed class UserProcessor(ILogitsProcessor processor) : ILogitsProcessor
{
    public void Process(in LogitsContext context, Span<float> logits)
    {
        processor.Process(context, logits);
        int tokenId = LogitsArithmetic.IndexOfNaN(logits);
        if (tokenId >= 0)
        {
            throw new InvalidOperationException(
                $"{processor.GetType()} wrote NaN as the logit of token {tokenId}. To forbid a token, write negative infinity.");
        }
    }
}
