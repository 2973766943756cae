using System.Diagnostics.CodeAnalysis;

namespace KimiLinear.Pruning;

/// <summary>A plan as whoever copies weights asks for it: what becomes of each expert.</summary>
internal sealed class ExpertRenumbering
{
    private readonly Dictionary<int, IReadOnlyList<int>> _keptByLayer;
    private readonly Dictionary<int, int[]> _newByLayer;

    /// <param name="plan">A plan in which all layers keep the same number.</param>
    public ExpertRenumbering(PruningPlan plan)
    {
        OldCount = plan.Model.ExpertCount;
        NewCount = plan.KeptExpertCount!.Value;
        _keptByLayer = plan.Layers.ToDictionary(layer => layer.LayerIndex, layer => layer.KeptExperts);
        _newByLayer = plan.Layers.ToDictionary(layer => layer.LayerIndex, Invert);
    }

    public int OldCount { get; }

    public int NewCount { get; }

    /// <summary>The experts that a layer keeps, in their new order; <see langword="false"/> when it has none.</summary>
    public bool TryGetKept(int layerIndex, [MaybeNullWhen(false)] out IReadOnlyList<int> kept) =>
        _keptByLayer.TryGetValue(layerIndex, out kept);

    /// <summary>The new number of an expert; below 0 when it is dropped.</summary>
    public int NewIndexOf(int layerIndex, int expert) => _newByLayer[layerIndex][expert];

    private int[] Invert(LayerPlan layer)
    {
        int[] newIndex = new int[OldCount];
        Array.Fill(newIndex, -1);
        for (int i = 0; i < layer.KeptExperts.Count; i++)
        {
            newIndex[layer.KeptExperts[i]] = i;
        }

        return newIndex;
    }
}
