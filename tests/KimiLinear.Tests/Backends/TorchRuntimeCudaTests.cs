using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>What is said on a machine that cannot run CUDA, each test brings its own driver.</summary>
public sealed class TorchRuntimeCudaTests
{
    [Fact]
    public async Task RequireCuda_NoDriver_SaysSo()
    {
        using TorchApplication application = new();
        AddDriver(application, "no library"u8.ToArray());

        string message = await application.RefusalAsync("cuda", "0");

        Assert.Equal(
            "No NVIDIA driver was found: libcuda.so.1 cannot be loaded. "
            + "Install the driver of the graphics card, or choose the CPU.",
            message);
    }

    [Theory]
    [InlineData(100, "no device that this process may see; CUDA_VISIBLE_DEVICES hides those it does not list")]
    [InlineData(803, "the driver's library and its kernel module are of different versions; a restart of the machine may help")]
    [InlineData(999, "see CUresult in NVIDIA's documentation of the driver")]
    public async Task RequireCuda_DriverDoesNotStart_SaysWhy(int status, string meaning)
    {
        using TorchApplication application = new();
        AddDriver(application, Driver(status, deviceCount: 1));

        string message = await application.RefusalAsync("cuda", "0");

        Assert.Equal($"The NVIDIA driver does not start: cuInit returned {status} ({meaning}).", message);
    }

    [Fact]
    public async Task RequireCuda_NoSuchDevice_SaysHowManyThereAre()
    {
        using TorchApplication application = new();
        AddDriver(application, Driver(status: 0, deviceCount: 2));

        string message = await application.RefusalAsync("cuda", "2");

        Assert.StartsWith("There is no CUDA device 2: this process sees 2, counted from 0. ", message);
    }

    [Fact]
    public async Task RequireCuda_LibraryThatIsNoDriver_SaysSo()
    {
        using TorchApplication application = new();
        AddDriver(application, ElfWriter.SharedObject([]));

        string message = await application.RefusalAsync("cuda", "0");

        Assert.StartsWith("libcuda.so.1 is no NVIDIA driver: ", message);
    }

    [Fact]
    public async Task RequireCuda_LibtorchForTheCpu_NamesThePackageForCuda()
    {
        using TorchApplication application = new();
        TorchApplication.AddLibtorch(application.NativeFolder);
        AddDriver(application, Driver(status: 0, deviceCount: 1));

        string message = await application.RefusalAsync("cuda", "0");

        Assert.Equal(
            $"The libtorch in '{application.NativeFolder}' was built without CUDA: it has no libtorch_cuda.so. Add the package "
            + "TorchSharp-cuda-linux, version 0.107.0, in place of TorchSharp-cpu, or name a libtorch with CUDA.",
            message);
    }

    private static byte[] Driver(int status, int deviceCount) => ElfWriter.SharedObject(
        [("cuInit", ElfWriter.Returning((ulong)status)), ("cuDeviceGetCount", ElfWriter.Storing(deviceCount))]);

    // These folders come before those of the system.
    private static void AddDriver(TorchApplication application, byte[] library) =>
        application.Environment["LD_LIBRARY_PATH"] = application.FolderWith("libcuda.so.1", library);
}
