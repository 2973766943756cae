using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Tensors;

public sealed unsafe class NativeBufferTests
{
    [Theory]
    [InlineData(0, 64)]
    [InlineData(1000, 64)]
    [InlineData(4 << 20, HugePages.PageBytes)]
    [InlineData((4 << 20) + 12_345, HugePages.PageBytes)]
    public void Data_AnySize_IsAlignedAndUsableToItsEnd(int byteCount, int alignment)
    {
        using NativeBuffer buffer = new(byteCount);

        Assert.Equal(0, (long)buffer.Data % alignment);
        new Span<byte>(buffer.Data, byteCount).Fill(0xAB);
    }
}
