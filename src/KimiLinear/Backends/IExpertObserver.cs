namespace KimiLinear.Backends;

/// <summary>Watches the outputs of the routed experts, before they are weighted and added.</summary>
/// <remarks>
/// For each sparse layer and pass, <see cref="OnScored"/>, then <see cref="OnOutput"/> for those who want it, and then
/// <see cref="OnMeasured"/>, on the thread that runs it.
/// </remarks>
internal interface IExpertObserver : IRoutingObserver
{
    /// <summary>Whether to be told the outputs themselves.</summary>
    bool WantsOutputs { get; }

    /// <summary>Told what the router says, and asked whose outputs to measure.</summary>
    /// <param name="layerIndex">The layer.</param>
    /// <param name="logits">What the router says. [T, E]</param>
    /// <param name="correctionBias">What is added to the scores to choose experts. [E]</param>
    /// <param name="experts">The chosen experts, ascending within a token. [T, A]</param>
    /// <returns>
    /// The experts to measure, [T, A], in any order within a token; valid until the next call. Usually those that were chosen;
    /// measuring others costs as much again as computing the layer.
    /// </returns>
    ReadOnlySpan<int> OnScored(
        int layerIndex, ReadOnlySpan<float> logits, ReadOnlySpan<float> correctionBias, ReadOnlySpan<int> experts);

    /// <summary>Told one output of those that <see cref="OnScored"/> asked for; those of one expert come in the order of the tokens.</summary>
    /// <param name="layerIndex">The layer.</param>
    /// <param name="expert">Whose it is.</param>
    /// <param name="output">Its values, valid during the call. [D]</param>
    void OnOutput(int layerIndex, int expert, ReadOnlySpan<float> output);

    /// <summary>Told how large the outputs are, in the order of what <see cref="OnScored"/> returned.</summary>
    /// <param name="layerIndex">The layer.</param>
    /// <param name="norms">The Euclidean norms. [T, A]</param>
    /// <param name="maxima">The largest absolute values. [T, A]</param>
    void OnMeasured(int layerIndex, ReadOnlySpan<double> norms, ReadOnlySpan<float> maxima);
}
