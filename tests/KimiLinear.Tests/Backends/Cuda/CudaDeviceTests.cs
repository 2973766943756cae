using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class CudaDeviceTests
{
    [Fact]
    public void Constructor_Device_IsDescribedAndCurrent()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);

        Assert.Equal("Fake GPU", device.Name);
        Assert.Equal((9, 0), (device.Major, device.Minor));
        Assert.Equal(132, device.MultiprocessorCount);
        Assert.Equal((1L << 30, 1L << 30), device.Memory);
        Assert.Equal(["cuInit", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"], fake.Calls);
    }

    [Theory]
    [InlineData(8, 0, 12080, "sm_80")]
    [InlineData(8, 9, 12080, "sm_80")]
    [InlineData(9, 0, 12000, "sm_90a")]
    [InlineData(9, 0, 11080, "sm_80")]
    [InlineData(12, 0, 13000, "sm_80")]
    public void Architecture_CapabilityAndDriver_ChooseTheForm(int major, int minor, int version, string expected)
    {
        using FakeCudaDriver fake = new() { Major = major, Minor = minor, Version = version };
        using CudaDevice device = new(fake.Open(), 0);

        Assert.Equal(expected, device.Architecture);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void Constructor_NoSuchDevice_SaysHowManyThereAre(int index)
    {
        using FakeCudaDriver fake = new();
        CudaDriver driver = fake.Open();

        DeviceUnavailableException exception = Assert.Throws<DeviceUnavailableException>(() => new CudaDevice(driver, index));

        Assert.StartsWith($"CUDA device {index} was asked for, but the driver shows 1", exception.Message);
    }

    [Fact]
    public void Constructor_OldDevice_IsRefusedWithoutTakingItsContext()
    {
        using FakeCudaDriver fake = new() { Major = 7, Minor = 5 };
        CudaDriver driver = fake.Open();

        DeviceUnavailableException exception = Assert.Throws<DeviceUnavailableException>(() => new CudaDevice(driver, 0));

        Assert.Contains("compute capability 7.5", exception.Message, StringComparison.Ordinal);
        Assert.Empty(fake.Alive);
    }

    [Fact]
    public void Constructor_OldDriver_IsRefused()
    {
        using FakeCudaDriver fake = new() { Version = 11040 };
        CudaDriver driver = fake.Open();

        DeviceUnavailableException exception = Assert.Throws<DeviceUnavailableException>(() => new CudaDevice(driver, 0));

        Assert.Contains("CUDA up to 11.4, but 11.5 is needed", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_ContextThatCannotBeUsed_IsGivenBack()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuCtxSetCurrent"] = 201 } };
        CudaDriver driver = fake.Open();

        Assert.Throws<CudaException>(() => new CudaDevice(driver, 0));

        Assert.Empty(fake.Alive);
    }

    [Fact]
    public void Allocate_TooMuch_SaysWhatWasWantedForWhatAndWhatIsFree()
    {
        using FakeCudaDriver fake = new() { TotalBytes = 10000 };
        using CudaDevice device = new(fake.Open(), 0);
        nint held = device.Allocate(4000, "the weights");

        DeviceMemoryException exception = Assert.Throws<DeviceMemoryException>(() => device.Allocate(9000, "the latent pages"));

        Assert.Equal(
            "Fake GPU has not enough memory for the latent pages: 9,000 bytes are wanted, 6,000 of 10,000 are free.",
            exception.Message);
        Assert.Equal((9000, 6000), (exception.NeededBytes, exception.FreeBytes));
        device.Free(held);
    }

    [Fact]
    public void Free_Twice_IsAnError()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        nint address = device.Allocate(64, "a test");
        device.Free(address);

        Assert.Throws<CudaException>(() => device.Free(address));
    }

    [Fact]
    public void Dispose_Twice_ReleasesTheContextOnce()
    {
        using FakeCudaDriver fake = new();
        CudaDevice device = new(fake.Open(), 0);

        device.Dispose();
        device.Dispose();

        Assert.Single(fake.Calls, "cuDevicePrimaryCtxRelease");
        Assert.Empty(fake.Alive);
        Assert.Throws<ObjectDisposedException>(device.MakeCurrent);
    }
}
