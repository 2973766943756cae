namespace KimiLinear.Model;

/// <summary>One weight file of a packed model.</summary>
/// <param name="FileName">Its plain name.</param>
/// <param name="Tensors">What it holds, in the order in which it lies there.</param>
internal sealed record PlannedShard(string FileName, IReadOnlyList<PlannedTensor> Tensors)
{
    /// <summary>Bytes of source that go into it.</summary>
    public long SourceBytes { get; } = Tensors.Sum(tensor => tensor.Source.ByteCount);

    /// <summary>Bytes of its tensors.</summary>
    public long ByteCount { get; } = Tensors.Sum(tensor => tensor.ByteCount);
}
