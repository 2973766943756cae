namespace KimiLinear.Pruning;

/// <summary>By what a plan chooses experts, and how many it keeps.</summary>
/// <remarks>One of <see cref="Ratio"/> and <see cref="KeptExpertCount"/> says how many, for all layers.</remarks>
public sealed record PruningOptions
{
    /// <summary>Gets the criterion.</summary>
    /// <value>The default is <see cref="PruningCriterion.Reap"/>.</value>
    public PruningCriterion Criterion { get; init; } = PruningCriterion.Reap;

    /// <summary>
    /// Gets the part of the experts that goes, above 0 and below 1; of E experts E times this many go, rounded down.
    /// </summary>
    public decimal? Ratio { get; init; }

    /// <summary>Gets how many experts each layer keeps.</summary>
    public int? KeptExpertCount { get; init; }

    /// <summary>
    /// Gets how many experts single layers keep, by the layer's number counted from 0; the others keep what is said for all. A model
    /// can be written only when all layers keep the same number.
    /// </summary>
    public IReadOnlyDictionary<int, int> KeptExpertCountByLayer { get; init; } = new Dictionary<int, int>();

    /// <summary>
    /// Gets a number that the number of kept experts must be divisible by; more are kept until it is. Serving engines that spread
    /// the experts over several devices ask for their number.
    /// </summary>
    /// <value>The default is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MultipleOf
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MultipleOf));
            field = value;
        }
    } = 1;

    /// <summary>Gets experts that are kept whatever their score, by the layer's number counted from 0.</summary>
    public IReadOnlyDictionary<int, IReadOnlyList<int>> ProtectedExperts { get; init; } =
        new Dictionary<int, IReadOnlyList<int>>();

    /// <summary>Gets whether experts with outstandingly large outputs are protected too.</summary>
    /// <value>The default is <see cref="SuperExpertProtection.None"/>.</value>
    public SuperExpertProtection SuperExperts { get; init; } = SuperExpertProtection.None;

    /// <summary>Gets what <see cref="PruningCriterion.Random"/> depends on.</summary>
    public int Seed { get; init; }
}
