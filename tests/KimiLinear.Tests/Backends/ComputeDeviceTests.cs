using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends;

public sealed class ComputeDeviceTests
{
    [Theory]
    [InlineData("auto", ComputeDeviceKind.Auto, 0)]
    [InlineData("cpu", ComputeDeviceKind.Cpu, 0)]
    [InlineData("cuda:0", ComputeDeviceKind.Cuda, 0)]
    [InlineData("cuda:3", ComputeDeviceKind.Cuda, 3)]
    [InlineData("torch:cpu", ComputeDeviceKind.TorchCpu, 0)]
    [InlineData("torch:cuda:0", ComputeDeviceKind.TorchCuda, 0)]
    [InlineData("torch:cuda:17", ComputeDeviceKind.TorchCuda, 17)]
    public void Parse_Written_IsReadBack(string text, ComputeDeviceKind kind, int index)
    {
        ComputeDevice device = ComputeDevice.Parse(text);

        Assert.Equal((kind, index), (device.Kind, device.Index));
        Assert.Equal(text, device.ToString());
        Assert.Equal(device, ComputeDevice.Parse(device.ToString()));
    }

    [Fact]
    public void Parse_NoIndex_IsTheFirst()
    {
        Assert.Equal(ComputeDevice.TorchCuda(), ComputeDevice.Parse("torch:cuda"));
        Assert.Equal(ComputeDevice.Cuda(), ComputeDevice.Parse("cuda"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("CPU")]
    [InlineData("cpu:0")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda0")]
    [InlineData("torch")]
    [InlineData("torch:cuda:")]
    [InlineData("torch:cuda:-1")]
    [InlineData("torch:cuda: 1")]
    [InlineData("torch:cuda:99999999999")]
    public void Parse_Anything_SaysWhatADeviceIs(string text)
    {
        FormatException error = Assert.Throws<FormatException>(() => ComputeDevice.Parse(text));

        Assert.Contains("auto, cpu, cuda:N, torch:cpu or torch:cuda:N", error.Message, StringComparison.Ordinal);
        Assert.False(ComputeDevice.TryParse(text, out ComputeDevice? device));
        Assert.Null(device);
    }

    [Fact]
    public void Cuda_NegativeIndex_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ComputeDevice.Cuda(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ComputeDevice.TorchCuda(-1));
    }
}
