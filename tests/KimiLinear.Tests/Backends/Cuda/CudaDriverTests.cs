using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class CudaDriverTests
{
    [Fact]
    public void Load_WithoutDriverOrWithOne_OpensItOrSaysWhatIsMissing()
    {
        try
        {
            CudaDriver driver = CudaDriver.Load();

            Assert.True(driver.Version > 0);
        }
        catch (DeviceUnavailableException exception)
        {
            Assert.Contains("CUDA driver", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Constructor_DriverThatCannotStart_SaysWhy()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuInit"] = 100 } };

        DeviceUnavailableException exception = Assert.Throws<DeviceUnavailableException>(() => fake.Open());

        Assert.Contains("CUDA_ERROR_100 (100), what error 100 means", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_FailedCall_NamesCallSizesAndError()
    {
        using FakeCudaDriver fake = new();
        CudaDriver driver = fake.Open();

        CudaException exception = Assert.Throws<CudaException>(() => driver.Check(700, "cuMemcpyHtoDAsync", 1234567, "bytes"));

        Assert.Equal(700, exception.ErrorCode);
        Assert.Equal(
            "cuMemcpyHtoDAsync with 1,234,567 bytes failed: CUDA_ERROR_700 (700), what error 700 means.", exception.Message);
    }

    [Fact]
    public void Check_Success_DoesNothing()
    {
        using FakeCudaDriver fake = new();

        fake.Open().Check(0, "cuCtxSetCurrent");

        Assert.Equal(["cuInit"], fake.Calls);
    }
}
