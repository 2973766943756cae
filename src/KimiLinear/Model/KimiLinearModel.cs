using KimiLinear.Caching;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>A loaded Kimi-Linear model.</summary>
/// <remarks>Safe for concurrent use: steps of different sequences take turns.</remarks>
public sealed class KimiLinearModel : IDisposable
{
    /// <summary>Gets the model's configuration.</summary>
    public KimiLinearConfig Config => throw new NotImplementedException();

    /// <summary>Starts an empty sequence; the caller disposes it.</summary>
    public SequenceState CreateSequence() => throw new NotImplementedException();

    /// <summary>Appends tokens to a sequence and computes the logits after the last of them.</summary>
    /// <param name="sequence">The sequence to extend.</param>
    /// <param name="tokenIds">At least one token. [T]</param>
    /// <param name="logits">Receives the scores of the next token; empty when they are not wanted. [N]</param>
    public void Forward(SequenceState sequence, ReadOnlySpan<int> tokenIds, Span<float> logits) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}
