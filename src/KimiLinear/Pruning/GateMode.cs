namespace KimiLinear.Pruning;

/// <summary>What an observation takes for the weight of an expert's output, and whose outputs it looks at.</summary>
/// <remarks>
/// Other tools differ here, and it changes which experts look unimportant. s is the sigmoid of a router logit, b the score
/// correction bias, A the number of active experts.
/// </remarks>
public enum GateMode
{
    /// <summary>
    /// As this library and the serving engines run the model: the A largest of s + b, weighted with s over the sum of the chosen
    /// ones' s, before the routed scaling factor. With one active expert, or without renormalisation, with s.
    /// </summary>
    Model,

    /// <summary>As <see cref="Model"/>, times the routed scaling factor: the same order of experts, other numbers.</summary>
    ModelScaled,

    /// <summary>
    /// As the modelling code published with the model computes: the same experts, weighted with s + b, because that code adds the
    /// bias to the scores in place.
    /// </summary>
    HfAlias,

    /// <summary>
    /// As the published REAP program would: the A largest logits, weighted with their softmax. These are other experts than the
    /// model visits.
    /// </summary>
    RepoLiteral,
}
