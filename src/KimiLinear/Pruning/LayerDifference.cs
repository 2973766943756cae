namespace KimiLinear.Pruning;

/// <summary>Where two plans keep different experts of one layer.</summary>
/// <param name="LayerIndex">The layer, counted from 0 over all layers.</param>
/// <param name="SharedCount">How many experts both keep.</param>
/// <param name="OnlyInFirst">Those that the first alone keeps, ascending.</param>
/// <param name="OnlyInSecond">Those that the second alone keeps, ascending.</param>
/// <param name="HasSameOrder">Whether those that both keep stand in the same order.</param>
public sealed record LayerDifference(
    int LayerIndex, int SharedCount, IReadOnlyList<int> OnlyInFirst, IReadOnlyList<int> OnlyInSecond, bool HasSameOrder)
{
    /// <summary>Gets a value indicating whether both keep the same experts in the same order.</summary>
    public bool IsEmpty => HasSameOrder && OnlyInFirst.Count == 0 && OnlyInSecond.Count == 0;

    /// <summary>Gets the experts that both keep as a part of those that at least one keeps (Jaccard); 1 when all.</summary>
    public double Overlap => OverlapOf(SharedCount, OnlyInFirst.Count + OnlyInSecond.Count);

    internal static LayerDifference Between(int layerIndex, IReadOnlyList<int> first, IReadOnlyList<int> second)
    {
        int[] shared = [.. first.Intersect(second)];
        return new LayerDifference(
            layerIndex,
            shared.Length,
            [.. first.Except(second).Order()],
            [.. second.Except(first).Order()],
            shared.SequenceEqual(second.Intersect(first)));
    }

    internal static double OverlapOf(int shared, int different) => shared + different == 0 ? 1 : (double)shared / (shared + different);
}
