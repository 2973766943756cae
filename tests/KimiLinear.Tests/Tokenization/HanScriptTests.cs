using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class HanScriptTests
{
    [Fact]
    public void Contains_AllCodePoints_HoldsForAsManyAsUnicode16Lists() =>
        Assert.Equal(99_030, Enumerable.Range(0, 0x110000).Count(HanScript.Contains));

    [Theory]
    [InlineData(0x2E80, 0x2E99)]
    [InlineData(0x3005, 0x3005)]
    [InlineData(0x3038, 0x303B)]
    [InlineData(0x4E00, 0x9FFF)]
    [InlineData(0xFA70, 0xFAD9)]
    [InlineData(0x16FF0, 0x16FF1)]
    [InlineData(0x20000, 0x2A6DF)]
    [InlineData(0x2EBF0, 0x2EE5D)]
    [InlineData(0x2F800, 0x2FA1D)]
    [InlineData(0x31350, 0x323AF)]
    public void Contains_EndsOfARange_AreInAndTheirNeighboursOut(int first, int last)
    {
        Assert.True(HanScript.Contains(first));
        Assert.True(HanScript.Contains(last));
        Assert.False(HanScript.Contains(first - 1));
        Assert.False(HanScript.Contains(last + 1));
    }
}
