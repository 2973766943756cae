namespace KimiLinear.Generation;

/// <summary>One step of a reply: the token that was drawn, and the text that may be shown now.</summary>
public readonly record struct GeneratedToken
{
    /// <summary>Gets the token's id.</summary>
    public int Id { get; init; }

    /// <summary>
    /// Gets the text that may be shown now, which is not always the token's own: empty while a character is incomplete or while
    /// the text might still become a stop sequence, and longer once that is settled. That of a special token, where it is asked for, ends with the
    /// token's own. All of them joined are the reply.
    /// </summary>
    public string Text
    {
        get => field ?? "";
        init;
    }

    /// <summary>
    /// Gets the natural logarithm of the probability the model itself gave the token, before any option changed it: negative
    /// infinity for one it ruled out, never NaN. It is <see langword="null"/> unless
    /// <see cref="GenerationOptions.IncludeLogProbabilities"/> asked for it.
    /// </summary>
    public float? LogProbability { get; init; }

    /// <summary>Gets why the reply ends here; <see langword="null"/> on every token but the last.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>Gets what the reply took; <see langword="null"/> on every token but the last.</summary>
    public GenerationTimings? Timings { get; init; }
}
