namespace KimiLinear.Pruning;

/// <summary>A weight file of a pruned model: some bytes in front, then bytes of the source.</summary>
/// <param name="FileName">Its plain name.</param>
/// <param name="Head">What stands in front; empty when the file is a copy.</param>
/// <param name="Ranges">What follows.</param>
internal sealed record PrunedFile(string FileName, byte[] Head, IReadOnlyList<SourceRange> Ranges)
{
    public long ByteCount { get; } = Head.Length + Ranges.Sum(range => range.ByteCount);
}
