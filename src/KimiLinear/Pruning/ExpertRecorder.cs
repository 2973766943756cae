using KimiLinear.Backends;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>Counts what passes report about experts into <see cref="ExpertStatistics"/>, token after token.</summary>
internal sealed class ExpertRecorder(KimiLinearConfig config, ExpertStatistics statistics) : IExpertObserver
{
    private readonly ExpertGates _gates = new(config, statistics.GateMode);
    private int[] _experts = [];
    private double[] _weights = [];
    private LayerStatistics? _layer;

    public bool WantsOutputs => statistics.HasOutputSums;

    public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights)
    {
        // What counts is made of the logits, in float64.
    }

    public ReadOnlySpan<int> OnScored(
        int layerIndex, ReadOnlySpan<float> logits, ReadOnlySpan<float> correctionBias, ReadOnlySpan<int> experts)
    {
        _layer = statistics.GetLayer(layerIndex);
        int expertCount = correctionBias.Length;
        int active = config.ActiveExpertCount;
        _experts = experts.ToArray();
        _weights = new double[experts.Length];
        for (int t = 0; t < experts.Length / active; t++)
        {
            _gates.Weigh(
                logits.Slice(t * expertCount, expertCount),
                correctionBias,
                _experts.AsSpan(t * active, active),
                _weights.AsSpan(t * active, active));
        }

        return _experts;
    }

    public void OnOutput(int layerIndex, int expert, ReadOnlySpan<float> output) => _layer!.AddOutput(expert, output);

    public void OnMeasured(int layerIndex, ReadOnlySpan<double> norms, ReadOnlySpan<float> maxima)
    {
        for (int i = 0; i < norms.Length; i++)
        {
            _layer!.Record(_experts[i], _weights[i], norms[i], maxima[i]);
        }
    }
}
