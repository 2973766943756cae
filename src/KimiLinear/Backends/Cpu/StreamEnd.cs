namespace KimiLinear.Backends;

/// <summary>Where a stream of weights ends, and how far behind that place it goes on.</summary>
/// <param name="address">The end.</param>
/// <param name="gap">Bytes between the end and what is read next.</param>
internal readonly unsafe struct StreamEnd(byte* address, long gap)
{
    /// <summary>How far ahead of a place its next lines lie.</summary>
    public StreamAhead Ahead(byte* current)
    {
        long left = address - current;
        return new StreamAhead(
            CacheLine.AheadBytes + (left <= CacheLine.AheadBytes ? gap : 0),
            CacheLine.FarBytes + (left <= CacheLine.FarBytes ? gap : 0));
    }
}
