namespace KimiLinear.Pruning;

/// <summary>How experts are merged, and into how many.</summary>
public sealed record MergeOptions
{
    /// <summary>Gets the method.</summary>
    /// <value>The default is <see cref="MergeMethod.HcSmoe"/>.</value>
    public MergeMethod Method { get; init; } = MergeMethod.HcSmoe;

    /// <summary>
    /// Gets the part of the experts that is merged away, above 0 and below 1; of E experts E times this many, rounded down. M-SMoE has
    /// as many in all, but not in each layer.
    /// </summary>
    public required decimal Ratio { get; init; }

    /// <summary>Gets how the distance of two experts is taken.</summary>
    /// <value>
    /// The default, <see langword="null"/>, is that of the method's published script: <see cref="ExpertDistance.Euclidean"/> for
    /// HC-SMoE, <see cref="ExpertDistance.Cosine"/> for M-SMoE.
    /// </value>
    public ExpertDistance? Distance { get; init; }

    /// <summary>Gets what experts are compared by.</summary>
    /// <value>
    /// The default, <see langword="null"/>, is the method's own: mean outputs for HC-SMoE, router logits for M-SMoE.
    /// </value>
    public ExpertSimilarity? Similarity { get; init; }

    /// <summary>Gets the most tokens that are computed together.</summary>
    /// <value>The default is 512.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int StepTokens
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(StepTokens));
            field = value;
        }
    } = 512;
}
