using System.Runtime.InteropServices;
using System.Text;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed class CudaModuleTests
{
    private static readonly string[] Architectures = ["sm_80", "sm_90a"];

    private static readonly string[] Modules =
    [
        "embed", "rms_norm", "kimi_delta", "latent_prepare", "latent_attention", "select_experts", "split_rows", "order_experts",
        "combine_experts",
        .. ((string[])["project", "experts", "matmul", "grouped_experts"]).SelectMany(
            name => Enum.GetValues<CudaFormat>().Select(format => name + format.Suffix())),
        "gather_latent", "expanded_attention", "delta_gates", "delta_chunk", "delta_scan",
    ];

    public static TheoryData<string, string> Resources()
    {
        TheoryData<string, string> data = [];
        foreach (string module in Modules)
        {
            foreach (string architecture in Architectures)
            {
                data.Add(module, architecture);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public void ReadPtx_EveryKernelFile_IsForItsArchitectureAndKeepsRegisters(string module, string architecture)
    {
        byte[] bytes = CudaModule.ReadPtx(module, architecture);

        string ptx = Encoding.UTF8.GetString(bytes);
        Assert.Equal(0, bytes[^1]);
        Assert.Contains($".target {architecture}\n", ptx, StringComparison.Ordinal);
        Assert.Contains(architecture == "sm_80" ? ".version 7.5\n" : ".version 8.0\n", ptx, StringComparison.Ordinal);
        Assert.NotEmpty(PtxEntries.Read(ptx));
        Assert.Equal(PtxEntries.Read(ptx).Count, ptx.Split(".visible .entry").Length - 1);

        // Arrays that do not fit the registers, calls into a library that is not there, inexact instructions.
        Assert.DoesNotContain(".local", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain("call", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain(".approx", ptx, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadPtx_UnknownName_SaysWhichIsMissing()
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(() => CudaModule.ReadPtx("nothing", "sm_80"));

        Assert.Contains("no kernels 'nothing' for sm_80", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_PtxThatTheDriverRefuses_RepeatsItsLog()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuModuleLoadDataEx"] = 218 } };
        using CudaDevice device = new(fake.Open(), 0);

        CudaException exception = Assert.Throws<CudaException>(() => new CudaModule(device, "embed"));

        Assert.Equal(
            "Fake GPU does not take the kernels 'embed' (sm_90a): CUDA_ERROR_218 (218), what error 218 means. "
            + "line 1: no such instruction",
            exception.Message);
    }

    [Fact]
    public void Find_UnknownEntry_NamesItAndItsFile()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaModule module = new(device, "embed");

        CudaException exception = Assert.Throws<CudaException>(() => module.Find("embedding"));

        Assert.Contains("cuModuleGetFunction of 'embedding' in 'embed' failed", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Launch_Kernel_PassesShapeAndArguments()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "rms_norm");
        CudaKernel kernel = module.Find("rms_norm");
        LaunchShape shape = new(7, 1, 1, 128, 0);

        kernel.Launch(stream, shape, (Input: 11L, Norm: 12L, Output: 13L, Columns: 14L));

        FakeLaunch launch = Assert.Single(fake.Launches);
        Assert.Equal("rms_norm", launch.Entry);
        Assert.Equal(shape, launch.Shape);
        Assert.Equal([11L, 12L, 13L, 14L], MemoryMarshal.Cast<byte, long>(launch.Arguments).ToArray());
    }

    [Fact]
    public void Launch_Often_MakesNoManagedObjects()
    {
        using FakeCudaDriver fake = new() { IgnoresLaunches = true };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "embed");
        CudaKernel kernel = module.Find("embed");
        LaunchShape shape = new(1, 1, 1, 128, 64 * 1024);
        kernel.Launch(stream, shape, (1L, 2L, 3L, 4L));

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            kernel.Launch(stream, shape, (1L, 2L, 3L, 4L));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(0, 1, 1, 32, 0)]
    [InlineData(1, 65536, 1, 32, 0)]
    [InlineData(1, 1, 65536, 32, 0)]
    [InlineData(1, 1, 1, 33, 0)]
    [InlineData(1, 1, 1, 0, 0)]
    [InlineData(1, 1, 1, 1056, 0)]
    [InlineData(1, 1, 1, 32, -1)]
    public void Launch_ImpossibleShape_IsRefusedBeforeTheDriver(int x, int y, int z, int threads, int sharedBytes)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "embed");
        CudaKernel kernel = module.Find("embed");

        Assert.Throws<ArgumentOutOfRangeException>(
            () => kernel.Launch(stream, new LaunchShape(x, y, z, threads, sharedBytes), 0L));

        Assert.Empty(fake.Launches);
    }

    [Fact]
    public void Launch_MoreSharedMemoryThanGranted_AsksOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "embed");
        CudaKernel kernel = module.Find("embed");
        var arguments = (1L, 2L, 3L, 4L);

        kernel.Launch(stream, new LaunchShape(1, 1, 1, 32, 48 * 1024), arguments);
        kernel.Launch(stream, new LaunchShape(1, 1, 1, 32, 100 * 1024), arguments);
        kernel.Launch(stream, new LaunchShape(1, 1, 1, 32, 90 * 1024), arguments);

        Assert.Single(fake.Calls, "cuFuncSetAttribute");
        Assert.Equal(3, fake.Launches.Count);
    }

    [Fact]
    public void Launch_MoreSharedMemoryThanThereIs_SaysWhatItNeeds()
    {
        using FakeCudaDriver fake = new() { MaxSharedBytes = 101376 };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "embed");
        CudaKernel kernel = module.Find("embed");

        NotSupportedException exception = Assert.Throws<NotSupportedException>(
            () => kernel.Launch(stream, new LaunchShape(1, 1, 1, 32, 101377), 0L));

        Assert.Contains("embed needs 101377 bytes of shared memory", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Fake GPU has 101376", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Launch_Refused_NamesKernelShapeAndError()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuLaunchKernel"] = 701 } };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using CudaModule module = new(device, "embed");
        CudaKernel kernel = module.Find("embed");

        CudaException exception = Assert.Throws<CudaException>(
            () => kernel.Launch(stream, new LaunchShape(3, 2, 1, 64, 16), (1L, 2L, 3L, 4L)));

        Assert.Equal(
            "cuLaunchKernel of 'embed' in 3 × 2 × 1 blocks of 64 threads with 16 shared bytes failed: "
            + "CUDA_ERROR_701 (701), what error 701 means.",
            exception.Message);
    }

    [Fact]
    public void Dispose_Twice_UnloadsOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        CudaModule module = new(device, "embed");

        module.Dispose();
        module.Dispose();

        Assert.Empty(fake.Problems);
        Assert.Throws<ObjectDisposedException>(() => module.Find("embed"));
    }
}
