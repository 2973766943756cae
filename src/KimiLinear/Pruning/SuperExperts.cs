namespace KimiLinear.Pruning;

/// <summary>Finds the experts whose outputs are outstandingly large.</summary>
/// <remarks>
/// As the published REAP program does it, but for two defects: layers are taken by their number in the model, not among the observed
/// ones, and outputs by their absolute value.
/// </remarks>
internal static class SuperExperts
{
    private const double Percentile = 0.995;
    private const double PartOfLargest = 0.1;
    private const double EarlyPart = 0.75;

    /// <summary>For each layer's number the experts to protect.</summary>
    public static Dictionary<int, int[]> Find(ExpertStatistics statistics, SuperExpertProtection protection)
    {
        if (protection == SuperExpertProtection.None)
        {
            return [];
        }

        double[] all = [.. statistics.Layers.SelectMany(layer => layer.MaxActivations).Order()];
        double threshold = Math.Max(Interpolate(all), all[^1] * PartOfLargest);
        int layers = protection == SuperExpertProtection.AllLayers
            ? statistics.Layers.Count
            : (int)(statistics.Layers.Count * EarlyPart);
        return statistics.Layers.Take(layers).ToDictionary(
            layer => layer.LayerIndex,
            layer => Enumerable.Range(0, layer.ExpertCount).Where(expert => layer.MaxActivations[expert] > threshold).ToArray());
    }

    // Linear between the neighbours, as numpy does by default.
    private static double Interpolate(double[] sorted)
    {
        double place = Percentile * (sorted.Length - 1);
        int below = (int)place;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }
}
