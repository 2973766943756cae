namespace KimiLinear.Pruning;

/// <summary>Groups experts around the most visited ones of all layers together, as M-SMoE does.</summary>
internal static class DominantExperts
{
    /// <summary>Groups the experts of every layer.</summary>
    /// <param name="visits">How often each expert was visited, layer by layer.</param>
    /// <param name="distances">The distances of the experts of each layer. [E, E]</param>
    /// <param name="total">How many groups there are in all layers together; each layer has at least one.</param>
    /// <returns>For each layer its groups, the dominant expert of each first.</returns>
    public static IReadOnlyList<IReadOnlyList<int[]>> Group(
        IReadOnlyList<IReadOnlyList<long>> visits, IReadOnlyList<double[,]> distances, int total)
    {
        List<int>[] dominant = [.. visits.Select(layer => new List<int> { MostVisited(layer) })];
        IEnumerable<(int Layer, int Expert)> others = visits
            .SelectMany((layer, index) => layer.Select((count, expert) => (Layer: index, Expert: expert, Count: count)))
            .Where(item => !dominant[item.Layer].Contains(item.Expert))
            .OrderByDescending(item => item.Count)
            .Select(item => (item.Layer, item.Expert))
            .Take(total - dominant.Length)
            .ToArray();
        foreach ((int layer, int expert) in others)
        {
            dominant[layer].Add(expert);
        }

        return [.. dominant.Select((list, layer) => Join([.. list.Order()], distances[layer]))];
    }

    private static int MostVisited(IReadOnlyList<long> visits) =>
        Enumerable.Range(0, visits.Count).MaxBy(expert => (visits[expert], -expert));

    private static int[][] Join(int[] dominant, double[,] distances)
    {
        List<int>[] groups = [.. dominant.Select(expert => new List<int> { expert })];
        for (int expert = 0; expert < distances.GetLength(0); expert++)
        {
            if (!dominant.Contains(expert))
            {
                int nearest = Enumerable.Range(0, dominant.Length).MinBy(group => distances[expert, dominant[group]]);
                groups[nearest].Add(expert);
            }
        }

        return [.. groups.Select(group => group.ToArray())];
    }
}
