using KimiLinear.Backends;

namespace KimiLinear.Layers;

/// <summary>Watches a forward pass from inside.</summary>
internal interface IForwardObserver : IRoutingObserver
{
    /// <summary>Called with the input of every layer, and after the last one with its output.</summary>
    void OnHidden(int layerIndex, ReadOnlySpan<float> hidden); // [T, D]
}
