namespace KimiLinear.Sampling;

/// <summary>Rewrites the scores of the next token before one is drawn: a constraint, a grammar, a preference.</summary>
/// <remarks>
/// A processor runs once per token, on a thread of the request, and should not allocate. An instance that is given to several
/// requests at once is called from several threads at once; one that keeps state of its own belongs to one request.
/// </remarks>
public interface ILogitsProcessor
{
    /// <summary>Rewrites the logits in place.</summary>
    /// <param name="context">The tokens so far.</param>
    /// <param name="logits">
    /// One score per token id. [N] <see cref="float.NegativeInfinity"/> forbids a token, <see cref="float.PositiveInfinity"/>
    /// demands it; <see cref="float.NaN"/> must not be written, and at least one token must stay allowed.
    /// </param>
    void Process(in LogitsContext context, Span<float> logits);
}
