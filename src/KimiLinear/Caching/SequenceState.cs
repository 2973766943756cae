namespace KimiLinear.Caching;

/// <summary>What a model remembers of one sequence of tokens.</summary>
/// <remarks>Owned by the caller; not safe for concurrent use.</remarks>
public sealed class SequenceState : IDisposable
{
    /// <summary>Gets the number of tokens seen so far.</summary>
    public int Length => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}
