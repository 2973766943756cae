using KimiLinear.Layers;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Keeps what a forward pass computes inside, step after step end to end.</summary>
internal sealed class RecordingObserver : IForwardObserver
{
    public Dictionary<int, List<float>> Hidden { get; } = [];

    public Dictionary<int, List<int>> Experts { get; } = [];

    public Dictionary<int, List<float>> Weights { get; } = [];

    public void OnHidden(int layerIndex, ReadOnlySpan<float> hidden) => Append(Hidden, layerIndex, hidden);

    public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
    {
        Append(Experts, layerIndex, experts);
        Append(Weights, layerIndex, weights);
    }

    private static void Append<T>(Dictionary<int, List<T>> lists, int layerIndex, ReadOnlySpan<T> values)
    {
        if (!lists.TryGetValue(layerIndex, out List<T>? list))
        {
            lists.Add(layerIndex, list = []);
        }

        list.AddRange(values);
    }
}
