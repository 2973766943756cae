using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class KimiDeltaTests
{
    [Theory]
    [InlineData(1, 12, 4, 5, 7, 1)]
    [InlineData(2, 32, 4, 32, 32, 1, 1)]
    [InlineData(3, 64, 4, 64, 64, 1, 2, 1)]
    [InlineData(2, 128, 4, 128, 128, 1, 1)]
    [InlineData(1, 200, 2, 8, 16, 3)]
    [InlineData(1, 256, 1, 24, 9, 1, 1)]
    [InlineData(2, 33, 3, 1, 2, 2, 1, 4)]
    [InlineData(1, 1, 4, 1, 1, 2)]
    public void KimiDelta_AnySizes_MatchesFormula(
        int heads, int headDim, int taps, int decayRank, int gateRank, params int[] tokenCounts)
    {
        DeltaLayer layer = new(new Samples(), heads, headDim, taps, decayRank, gateRank, tokenCounts);
        using TestDevice device = new();
        DeviceBuffer slots = device.Upload(layer.Slots);
        DeviceBuffer output = device.Reserve<float>(layer.TokenCount * layer.Width);
        KimiDeltaArguments arguments = layer.Upload(device, slots, output);

        device.Run(() => device.Kernels.KimiDelta(device.Stream, arguments, tokenCounts.Length));

        (double[] expectedOutput, double[] expectedSlots) = layer.Compute();
        Exact.AssertClose(expectedOutput, output.Read<float>(), 2e-5);
        Exact.AssertClose(expectedSlots, slots.Read<float>());
    }

    [Fact]
    public void KimiDelta_TokensTogetherOrOneByOne_SameBits()
    {
        DeltaLayer layer = new(new Samples(), 2, 48, 4, 16, 16, [4]);
        using TestDevice device = new();
        DeviceBuffer together = device.Upload(layer.Slots);
        DeviceBuffer apart = device.Upload(layer.Slots);
        DeviceBuffer output = device.Reserve<float>(layer.TokenCount * layer.Width);
        DeviceBuffer outputApart = device.Reserve<float>(layer.TokenCount * layer.Width);
        DeviceBuffer offsets = device.Upload(0, 1, 2, 3, 4);
        KimiDeltaArguments arguments = layer.Upload(device, together, output);
        KimiDeltaArguments single = arguments with { Slots = layer.UploadSlots(device, apart), Output = outputApart.Address };

        device.Run(() =>
        {
            device.Kernels.KimiDelta(device.Stream, arguments, 1);
            for (int t = 0; t < layer.TokenCount; t++)
            {
                device.Kernels.KimiDelta(
                    device.Stream, single with { Offsets = offsets.Address + (t * sizeof(int)) }, 1);
            }
        });

        Assert.Equal(output.Read<float>(), outputApart.Read<float>());
        Assert.Equal(together.Read<float>(), apart.Read<float>());
    }

    [Fact]
    public void KimiDelta_WiderHeadThanTheKernelsTake_IsRefused()
    {
        DeltaLayer layer = new(new Samples(), 1, 257, 4, 1, 1, [1]);
        using TestDevice device = new();
        DeviceBuffer slots = device.Upload(layer.Slots);
        KimiDeltaArguments arguments = layer.Upload(device, slots, device.Reserve<float>(257));

        NotSupportedException exception = Assert.Throws<NotSupportedException>(
            () => device.Kernels.KimiDelta(device.Stream, arguments, 1));

        Assert.StartsWith("A Kimi Delta head has 257 values, but the CUDA kernels take at most 256", exception.Message);
    }
}
