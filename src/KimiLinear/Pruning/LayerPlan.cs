namespace KimiLinear.Pruning;

/// <summary>What a <see cref="PruningPlan"/> does with the routed experts of one sparse layer.</summary>
public sealed record LayerPlan
{
    /// <summary>Gets which layer it is, counted from 0 over all layers.</summary>
    public required int LayerIndex { get; init; }

    /// <summary>
    /// Gets the experts that are kept, by their numbers in the source, in the order in which they are numbered afterwards.
    /// </summary>
    public required IReadOnlyList<int> KeptExperts { get; init; }

    /// <summary>Gets those of them that were kept whatever their score.</summary>
    public IReadOnlyList<int> ProtectedExperts { get; init; } = [];

    /// <summary>
    /// Gets the score of each expert of the source by the plan's criterion, a high one to be kept; empty when there are none.
    /// </summary>
    public IReadOnlyList<double> Scores { get; init; } = [];
}
