namespace KimiLinear.Backends;

/// <summary>The forms that the torch backend's operators take.</summary>
internal sealed record TorchForms
{
    /// <summary>What products multiply.</summary>
    public TorchFactors Factors { get; init; } = TorchFactors.Float32;

    /// <summary>Up to this many new tokens, attending to latent rows themselves costs less than expanding every cached row.</summary>
    public int AbsorbedTokens { get; init; } = 128;

    /// <summary>Scores that exist at a time, over all heads.</summary>
    public long ScoreLimit { get; init; } = 32L << 20;

    /// <summary>Values of expanded keys and values that exist at a time.</summary>
    public long ExpandedLimit { get; init; } = 64L << 20;
}
