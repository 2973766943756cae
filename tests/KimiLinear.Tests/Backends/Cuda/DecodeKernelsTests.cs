using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed partial class DecodeKernelsTests
{
    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    public void ArgumentStructures_EveryKernel_HaveTheSizeThatThePtxExpects(string architecture)
    {
        Dictionary<string, int> sizes = new()
        {
            ["embed"] = Unsafe.SizeOf<EmbedArguments>(),
            ["rms_norm"] = Unsafe.SizeOf<RmsNormArguments>(),
            ["project"] = Unsafe.SizeOf<ProjectArguments>(),
            ["kimi_delta"] = Unsafe.SizeOf<KimiDeltaArguments>(),
            ["latent_prepare"] = Unsafe.SizeOf<LatentPrepareArguments>(),
            ["latent_append"] = Unsafe.SizeOf<LatentPrepareArguments>(),
            ["latent_attend"] = Unsafe.SizeOf<LatentAttendArguments>(),
            ["latent_combine"] = Unsafe.SizeOf<LatentCombineArguments>(),
            ["select_experts"] = Unsafe.SizeOf<SelectExpertsArguments>(),
            ["expert_gate_up"] = Unsafe.SizeOf<ExpertGateUpArguments>(),
            ["expert_down"] = Unsafe.SizeOf<ExpertDownArguments>(),
        };
        string[] modules =
        [
            "embed", "rms_norm", "kimi_delta", "latent_prepare", "latent_attention", "select_experts",
            "project", "project_fp8", "project_q8", "project_q4", "experts", "experts_fp8", "experts_q8", "experts_q4",
        ];
        HashSet<string> met = [];

        foreach (string module in modules)
        {
            string ptx = Encoding.UTF8.GetString(CudaModule.ReadPtx(module, architecture));
            foreach ((string entry, int bytes) in PtxEntries.Read(ptx))
            {
                string kernel = Endings().Replace(entry, "");

                Assert.Equal((entry, sizes[kernel]), (entry, bytes));
                met.Add(kernel);
            }
        }

        Assert.Equal(sizes.Keys.Order(), met.Order());
    }

    [Theory]
    [InlineData(1, 2304, "project_1", 1, 9216 + 16)]
    [InlineData(2, 2304, "project_2", 1, (2 * 9216) + 16)]
    [InlineData(3, 2304, "project_4", 1, (4 * 9216) + 16)]
    [InlineData(20, 2304, "project_8", 3, (8 * 9216) + 16)]
    [InlineData(20, 9216, "project_2", 10, (2 * 36864) + 16)]
    [InlineData(20, 40000, "project_1", 20, 160000 + 16)]
    public void Project_TokensAndColumns_ChooseTheLargestTileThatLeavesRoom(
        int tokens, int columns, string entry, int gridY, int sharedBytes)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using DecodeKernels kernels = new(device);

        kernels.Project(stream, Projection(columns, outputs: 33, tokens));

        FakeLaunch launch = Assert.Single(fake.Launches);
        Assert.Equal(entry, launch.Entry);
        Assert.Equal(new LaunchShape(5, gridY, 1, 128, sharedBytes), launch.Shape);
    }

    [Theory]
    [InlineData(1, 1, 128)]
    [InlineData(4223, 528, 128)]
    [InlineData(4224, 264, 256)]
    [InlineData(163840, 10240, 256)]
    public void Project_Outputs_ChooseHowManyBlocksShareThem(int outputs, int gridX, int threads)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using DecodeKernels kernels = new(device);

        kernels.Project(stream, Projection(columns: 64, outputs, tokens: 1));

        FakeLaunch launch = Assert.Single(fake.Launches);
        Assert.Equal((gridX, threads), (launch.Shape.GridX, launch.Shape.ThreadCount));
    }

    [Fact]
    public void Project_MisalignedWeights_AreRefusedWhereRowsAreLoadedWide()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using DecodeKernels kernels = new(device);
        WeightMatrix misaligned = new() { Values = 8 };

        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => kernels.Project(stream, Projection(columns: 8, outputs: 1, tokens: 1) with { Weight = misaligned }));
        kernels.Project(stream, Projection(columns: 7, outputs: 1, tokens: 1) with { Weight = misaligned });

        Assert.StartsWith("The weight of a projection must begin at a multiple of 16 bytes", exception.Message);
        Assert.Single(fake.Launches);
    }

    [Fact]
    public void Project_RowsThatDoNotFitAProcessor_SayWhatIsMissing()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using DecodeKernels kernels = new(device);

        Assert.Throws<NotSupportedException>(() => kernels.Project(stream, Projection(columns: 70000, outputs: 1, tokens: 1)));
    }

    [Fact]
    public void LatentSplitCount_AnyBatch_GivesEveryProcessorWork()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using DecodeKernels kernels = new(device);

        Assert.Equal(132, kernels.LatentSplitCount(1, 32, 576));
        Assert.Equal(33, kernels.LatentSplitCount(4, 32, 576));
        Assert.Equal(16, kernels.LatentSplitCount(4, 32, 1152));
        Assert.Equal(264, kernels.LatentSplitCount(1, 3, 26));
        Assert.Equal(1, kernels.LatentSplitCount(1000, 32, 576));
        Assert.Equal(132, kernels.MaxLatentPartCount(4, 32, 576));
        Assert.Equal(1000, kernels.MaxLatentPartCount(1000, 32, 576));
    }

    [Fact]
    public void Constructor_ModuleThatDoesNotLoad_GivesTheOthersBack()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuModuleGetFunction"] = 500 } };
        using CudaDevice device = new(fake.Open(), 0);

        Assert.Throws<CudaException>(() => new DecodeKernels(device));

        Assert.Equal(["context"], fake.Alive);
    }

    [Fact]
    public void Dispose_Twice_UnloadsEachModuleOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        DecodeKernels kernels = new(device);
        kernels.Require(CudaFormat.BFloat16);
        kernels.Require(CudaFormat.Packed4);
        kernels.Require(CudaFormat.Packed4);

        kernels.Dispose();
        kernels.Dispose();

        Assert.Equal(6 + 2 + 2, fake.Calls.Count(call => call == "cuModuleUnload"));
        Assert.Empty(fake.Problems);
    }

    private static ProjectArguments Projection(int columns, int outputs, int tokens) => new()
    {
        Input = 0,
        Norm = 0,
        Weight = new WeightMatrix { Values = 256 },
        Rows = 0,
        Output = 0,
        Columns = columns,
        Outputs = outputs,
        OutputStride = outputs,
        Tokens = tokens,
        Adds = 0,
        Epsilon = 0,
    };

    [GeneratedRegex("(_fp8|_q8|_q4)?(_[0-9]+)*$")]
    private static partial Regex Endings();
}
