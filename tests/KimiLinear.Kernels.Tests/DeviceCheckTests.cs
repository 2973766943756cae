using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Backends.Cuda;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class DeviceCheckTests
{
    private static readonly KimiLinearConfig Config = KimiLinearConfig.Load(Path.Combine(Golden.TinyModel, "config.json"));

    [Fact]
    public void Require_DeviceThatComputesRight_PassesOnceForAll()
    {
        int devices = 0;

        for (int i = 0; i < 2; i++)
        {
            DeviceCheck.Require("a right one", Config, config => Create(config, "", ref devices));
        }

        Assert.Equal(1, devices);
    }

    [Fact]
    public void Require_ActivationsRoundedToBFloat16_Passes()
    {
        int devices = 0;

        DeviceCheck.Require(
            "one that rounds", Config, config => Create(config, "", ref devices, ActivationPrecision.Int8));

        Assert.Equal(1, devices);
    }

    [Theory]
    [InlineData("kimi_delta_64")]
    [InlineData("grouped_down_64_2")]
    [InlineData("expert_down")]
    [InlineData("latent_combine")]
    public void Require_DeviceThatLeavesAKernelOut_IsRefusedEachTime(string entry)
    {
        int devices = 0;

        for (int i = 0; i < 2; i++)
        {
            DeviceUnavailableException exception = Assert.Throws<DeviceUnavailableException>(
                () => DeviceCheck.Require($"one without {entry}", Config, config => Create(config, entry, ref devices)));

            Assert.StartsWith($"one without {entry} computes something else than the processor", exception.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, devices);
    }

    // One of this thread replaces the one before it.
    private static CudaBackend Create(
        KimiLinearConfig config,
        string leftOut,
        ref int devices,
        ActivationPrecision activations = ActivationPrecision.Auto)
    {
        devices++;
        FakeCudaDriver fake = new()
        {
            Runner = launch =>
            {
                Assert.True(launch.Entry == leftOut || Emulator.Run(launch, order: 0) is null);
                return 0;
            },
        };
        return new CudaBackend(config, new CudaDevice(fake.Open(), 0)) { Activations = activations };
    }
}
