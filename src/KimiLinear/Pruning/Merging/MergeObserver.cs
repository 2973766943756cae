using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>Lets every expert compute every token, in plain loops: exact, and only for small models.</summary>
internal sealed class MergeObserver : IExpertInputObserver
{
    private readonly KimiLinearConfig _config;
    private readonly Dictionary<int, ExpertMatrices[]> _experts = [];
    private int[] _chosen = [];

    public MergeObserver(Checkpoint checkpoint, KimiLinearConfig config)
    {
        _config = config;
        foreach (int layer in Enumerable.Range(0, config.LayerCount).Where(layer => config.SparseLayers[layer]))
        {
            _experts.Add(
                layer, [.. Enumerable.Range(0, config.ExpertCount).Select(expert => ExpertMatrices.Read(checkpoint, layer, expert))]);
            Statistics.Add(layer, new MergeStatistics(config.ExpertCount, config.HiddenDim));
        }
    }

    /// <summary>What was seen, by the layers' numbers.</summary>
    public SortedDictionary<int, MergeStatistics> Statistics { get; } = [];

    public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights) => _chosen = experts.ToArray();

    public void OnInput(int layerIndex, ReadOnlySpan<float> normed, ReadOnlySpan<float> logits)
    {
        (int width, int count, int active) = (_config.HiddenDim, _config.ExpertCount, _config.ActiveExpertCount);
        ExpertMatrices[] experts = _experts[layerIndex];
        double[][] outputs = new double[count][];
        for (int t = 0; t < normed.Length / width; t++)
        {
            float[] row = normed.Slice(t * width, width).ToArray();
            Parallel.For(0, count, expert => outputs[expert] = experts[expert].Output(row));
            Statistics[layerIndex].Add(outputs, logits.Slice(t * count, count), _chosen.AsSpan(t * active, active));
        }
    }
}
