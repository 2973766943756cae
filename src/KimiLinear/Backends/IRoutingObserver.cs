namespace KimiLinear.Backends;

/// <summary>Watches which experts the tokens of a forward pass visit; nothing is computed for it when nobody watches.</summary>
internal interface IRoutingObserver
{
    /// <summary>Called once per sparse layer and forward pass, on the thread that runs it.</summary>
    void OnRouted(
        int layerIndex,
        ReadOnlySpan<int> experts,    // [T, A] ascending within a token
        ReadOnlySpan<float> weights); // [T, A] scaling included
}
