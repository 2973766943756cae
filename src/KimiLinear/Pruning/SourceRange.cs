namespace KimiLinear.Pruning;

/// <summary>Consecutive bytes of a mapped file that go into another; zeros where <paramref name="data"/> is null.</summary>
/// <param name="data">The first byte; it ends with the file.</param>
/// <param name="byteCount">How many.</param>
internal readonly unsafe struct SourceRange(byte* data, long byteCount)
{
    public byte* Data { get; } = data;

    public long ByteCount { get; } = byteCount;
}
