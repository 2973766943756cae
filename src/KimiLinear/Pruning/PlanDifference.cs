namespace KimiLinear.Pruning;

/// <summary>Where two plans for one model keep different experts.</summary>
/// <param name="Layers">Every layer that one of them names, ascending; also those that agree.</param>
public sealed record PlanDifference(IReadOnlyList<LayerDifference> Layers)
{
    /// <summary>Gets a value indicating whether both keep the same experts in the same order everywhere.</summary>
    public bool IsEmpty => Layers.All(layer => layer.IsEmpty);

    /// <summary>Gets the experts that both keep as a part of those that at least one keeps, over all layers; 1 when all.</summary>
    public double Overlap => LayerDifference.OverlapOf(
        Layers.Sum(layer => layer.SharedCount),
        Layers.Sum(layer => layer.OnlyInFirst.Count + layer.OnlyInSecond.Count));

    internal static PlanDifference Between(PruningPlan first, PruningPlan second)
    {
        ObservedModel comparable = second.Model with { Name = first.Model.Name };
        if (first.Model.Fingerprint.Length == 0 || second.Model.Fingerprint.Length == 0)
        {
            comparable = comparable with { Fingerprint = first.Model.Fingerprint };
        }

        if (comparable != first.Model)
        {
            throw new ArgumentException(
                $"Plans for different models cannot be compared: one is for '{first.Model.Name}', the other for "
                + $"'{second.Model.Name}'.",
                nameof(second));
        }

        Dictionary<int, LayerPlan> ours = first.Layers.ToDictionary(layer => layer.LayerIndex);
        Dictionary<int, LayerPlan> theirs = second.Layers.ToDictionary(layer => layer.LayerIndex);
        return new PlanDifference(
        [
            .. ours.Keys.Union(theirs.Keys).Order().Select(layer => LayerDifference.Between(
                layer,
                ours.TryGetValue(layer, out LayerPlan? one) ? one.KeptExperts : [],
                theirs.TryGetValue(layer, out LayerPlan? other) ? other.KeptExperts : [])),
        ]);
    }
}
