using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>Where a stream goes on behind its end.</summary>
public sealed unsafe class StreamEndTests
{
    [Theory]
    [InlineData(CacheLine.FarBytes + 1, 0, 0)]
    [InlineData(CacheLine.FarBytes, 0, 100_000)]
    [InlineData(CacheLine.AheadBytes + 1, 0, 100_000)]
    [InlineData(CacheLine.AheadBytes, 100_000, 100_000)]
    [InlineData(64, 100_000, 100_000)]
    public void Ahead_WhatLiesBehindTheEnd_IsLookedForBehindTheGap(int left, int nearGap, int farGap)
    {
        byte* end = (byte*)(1L << 40);

        StreamAhead ahead = new StreamEnd(end, 100_000).Ahead(end - left);

        Assert.Equal(new StreamAhead(CacheLine.AheadBytes + nearGap, CacheLine.FarBytes + farGap), ahead);
    }
}
