namespace KimiLinear.Backends;

/// <summary>Watches what the routed experts read, whichever of them are chosen.</summary>
internal interface IExpertInputObserver : IRoutingObserver
{
    /// <summary>Called once per sparse layer and forward pass, after <see cref="IRoutingObserver.OnRouted"/>, on the same thread.</summary>
    void OnInput(
        int layerIndex,
        ReadOnlySpan<float> normed,   // [T, D]
        ReadOnlySpan<float> logits);  // [T, E] of the router
}
