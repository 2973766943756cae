namespace KimiLinear.Scheduling;

/// <summary>A request's part in a step.</summary>
/// <param name="Request">The request.</param>
/// <param name="TokenIds">The tokens its sequence reads.</param>
/// <param name="DrawsToken">Whether a token is drawn after them.</param>
/// <param name="IsPiece">
/// Whether they are a piece of what is read before the next token is drawn, else what was drawn last and guesses of what follows.
/// </param>
/// <param name="IsPrompt">Whether it is a piece of the prompt, and not of a reply that is read again.</param>
/// <param name="Products">Products of a piece; 0 for what is none.</param>
/// <param name="Milliseconds">What they are expected to take.</param>
internal readonly record struct PlannedEntry(
    EngineRequest Request,
    ReadOnlyMemory<int> TokenIds,
    bool DrawsToken,
    bool IsPiece,
    bool IsPrompt,
    double Products,
    double Milliseconds)
{
    /// <summary>How many tokens are guessed, after each of which the next one is drawn.</summary>
    public int DraftCount => IsPiece ? 0 : Request.DraftCount;
}
