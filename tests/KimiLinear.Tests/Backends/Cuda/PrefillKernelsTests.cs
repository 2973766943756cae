using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Tests.Backends.Cuda;

public sealed partial class PrefillKernelsTests
{
    // Those of every model; products come in modules for each format of weights.
    private static readonly string[] Modules =
    [
        "split_rows", "order_experts", "combine_experts", "gather_latent", "expanded_attention", "delta_gates", "delta_chunk",
        "delta_scan",
    ];

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    public void ArgumentStructures_EveryKernel_HaveTheSizeThatThePtxExpects(string architecture)
    {
        Dictionary<string, int> sizes = new()
        {
            ["split_rows"] = Unsafe.SizeOf<SplitRowsArguments>(),
            ["matmul"] = Unsafe.SizeOf<MatMulArguments>(),
            ["count_experts"] = Unsafe.SizeOf<OrderExpertsArguments>(),
            ["order_experts"] = Unsafe.SizeOf<OrderExpertsArguments>(),
            ["grouped_gate_up"] = Unsafe.SizeOf<GroupedGateUpArguments>(),
            ["grouped_down"] = Unsafe.SizeOf<GroupedDownArguments>(),
            ["combine_experts"] = Unsafe.SizeOf<CombineExpertsArguments>(),
            ["gather_latent"] = Unsafe.SizeOf<GatherLatentArguments>(),
            ["expanded_attend"] = Unsafe.SizeOf<ExpandedAttendArguments>(),
            ["split_gates"] = Unsafe.SizeOf<SplitGatesArguments>(),
            ["gate_output"] = Unsafe.SizeOf<GateOutputArguments>(),
            ["delta_chunk"] = Unsafe.SizeOf<DeltaChunkArguments>(),
            ["delta_scan"] = Unsafe.SizeOf<DeltaScanArguments>(),
        };
        HashSet<string> met = [];

        string[] products = [.. Enum.GetValues<CudaFormat>().SelectMany(
            format => (string[])[$"matmul{format.Suffix()}", $"grouped_experts{format.Suffix()}"])];
        foreach (string module in Modules.Concat(products))
        {
            string ptx = Encoding.UTF8.GetString(CudaModule.ReadPtx(module, architecture));
            foreach ((string entry, int bytes) in PtxEntries.Read(ptx))
            {
                string kernel = Sizes().Replace(entry, "");

                Assert.Equal((entry, sizes[kernel]), (entry, bytes));
                met.Add(kernel);
            }
        }

        Assert.Equal(sizes.Keys.Order(), met.Order());
    }

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    public void Products_EveryArchitecture_AreMadeOfTheInstructionsForMatrices(string architecture)
    {
        foreach (string module in (string[])["matmul", "grouped_experts", "matmul_fp8", "grouped_experts_q8", "matmul_q4"])
        {
            string ptx = Encoding.UTF8.GetString(CudaModule.ReadPtx(module, architecture));

            Assert.Contains("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ", ptx, StringComparison.Ordinal);
            Assert.Contains("ldmatrix.sync.aligned.m8n8.x4.shared.b16 ", ptx, StringComparison.Ordinal);
            Assert.Contains("cp.async.cg.shared.global.L2::128B ", ptx, StringComparison.Ordinal);
            Assert.Contains("cp.async.wait_group 2;", ptx, StringComparison.Ordinal);
        }
    }

    // The fake device has 132 multiprocessors.
    [Theory]
    [InlineData(8192, 12576, 1, "matmul_128_1", 64 * 99, 256, 65536)]
    [InlineData(8192, 12576, 2, "matmul_128_2", 64 * 99, 256, 98304)]
    [InlineData(512, 2304, 2, "matmul_64_2", 8 * 18, 128, 65536)]
    [InlineData(512, 2304, 1, "matmul_64_1", 8 * 18, 128, 49152)]
    [InlineData(512, 256, 2, "matmul_16_2", 32 * 2, 128, 40960)]
    [InlineData(40, 163840, 1, "matmul_64_1", 1280, 128, 49152)]
    [InlineData(65, 163840, 1, "matmul_128_1", 1280, 256, 65536)]
    [InlineData(16, 163840, 1, "matmul_16_1", 1280, 128, 36864)]
    [InlineData(1, 1, 2, "matmul_16_2", 1, 128, 40960)]
    public void MatMul_TokensAndOutputs_ChooseTheLargestTileThatLeavesWorkForAll(
        int tokens, int outputs, int partCount, string entry, int blocks, int threads, int sharedBytes)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.MatMul(stream, Product(columns: 64, outputs, tokens), partCount);

        FakeLaunch launch = Assert.Single(fake.Launches);
        Assert.Equal(entry, launch.Entry);
        Assert.Equal(new LaunchShape(blocks, 1, 1, threads, sharedBytes), launch.Shape);
    }

    [Fact]
    public void MatMul_ColumnsThatAreNoWholeLoads_AreRefusedAndSaidSoBefore()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        NotSupportedException exception = Assert.Throws<NotSupportedException>(
            () => kernels.MatMul(stream, Product(columns: 20, outputs: 1, tokens: 1), 1));

        Assert.Equal(
            "The weight of matmul has rows of 20 values, but tensor cores are fed whole loads of 8. "
            + "Take the kernels of decoding for it.",
            exception.Message);
        Assert.False(PrefillKernels.TakesColumns(20));
        Assert.True(PrefillKernels.TakesColumns(24));
        Assert.Empty(fake.Launches);
    }

    [Fact]
    public void MatMul_WhatIsMisalignedOrInTooManyParts_IsRefused()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);
        MatMulArguments good = Product(columns: 8, outputs: 1, tokens: 1);

        WeightMatrix misaligned = new() { Values = 8 };
        ArgumentException weight =
            Assert.Throws<ArgumentException>(() => kernels.MatMul(stream, good with { Weight = misaligned }, 1));
        ArgumentException input = Assert.Throws<ArgumentException>(() => kernels.MatMul(stream, good with { Input = 24 }, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.MatMul(stream, good, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => kernels.MatMul(stream, good, 3));

        Assert.Equal("The weight of matmul must begin at a multiple of 16 bytes, but begins at 8.", weight.Message);
        Assert.Equal("The input of matmul must begin at a multiple of 16 bytes, but begins at 18.", input.Message);
        Assert.Empty(fake.Launches);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 1)]
    [InlineData(4097, 513)]
    public void SplitRows_Tokens_TakeAWarpEach(int tokens, int blocks)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);
        SplitRowsArguments arguments = new()
        {
            Input = 256,
            Norm = 0,
            Rows = 0,
            Parts = 256,
            Columns = 8,
            Tokens = tokens,
            PartCount = 2,
            Epsilon = 0,
        };

        kernels.SplitRows(stream, arguments);

        Assert.Equal(new LaunchShape(blocks, 1, 1, 256, 0), Assert.Single(fake.Launches).Shape);
        Assert.Throws<ArgumentException>(() => kernels.SplitRows(stream, arguments with { PartCount = 3 }));
        Assert.Throws<ArgumentException>(() => kernels.SplitRows(stream, arguments with { Input = 4 }));
        Assert.Throws<ArgumentException>(() => kernels.SplitRows(stream, arguments with { Norm = 4 }));
        Assert.Throws<ArgumentException>(() => kernels.SplitRows(stream, arguments with { Parts = 4 }));
        Assert.Throws<NotSupportedException>(() => kernels.SplitRows(stream, arguments with { Columns = 4 }));
    }

    // 8 of 256 experts: a token's rows are spread, so a tile is as small as their average asks.
    [Theory]
    [InlineData(4096, 64, 128, 32768 / 64 + 256, 49152, 65536, 32)]
    [InlineData(8192, 128, 256, 65536 / 128 + 256, 65536, 98304, 64)]
    [InlineData(512, 16, 128, 4096 / 16 + 256, 36864, 40960, 4)]
    [InlineData(3, 16, 128, 24 / 16 + 24, 36864, 40960, 1)]
    public void GroupedExperts_Tokens_ChooseTilesForAnyChoice(
        int tokens, int rows, int threads, int tiles, int sharedBytesOfOne, int sharedBytesOfTwo, int chunks)
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);
        ExpertGrouping grouping = new(tokens, 8, 256);

        kernels.OrderExperts(stream, new() { Experts = 256, Counts = 256, Order = 256, Tiles = 256 }, grouping);
        kernels.GroupedGateUp(stream, GateUp(), grouping, 1);
        kernels.GroupedDown(stream, Down(), grouping, 2);
        kernels.CombineExperts(
            stream, new() { Outputs = 256, Weights = 256, Hidden = 256, Columns = 2304, ActiveCount = 8 }, tokens);

        Assert.Equal(
            ["count_experts", "order_experts", $"grouped_gate_up_{rows}_1", $"grouped_down_{rows}_2", "combine_experts"],
            fake.Launches.Select(launch => launch.Entry));
        Assert.Equal(
            [
                new LaunchShape(chunks, 1, 1, 256, 4096),
                new LaunchShape(chunks, 1, 1, 256, 4096 + 2048),
                new LaunchShape(tiles * 16, 1, 1, threads, sharedBytesOfOne),
                new LaunchShape(tiles * 18, 1, 1, threads, sharedBytesOfTwo),
                new LaunchShape(tokens, 1, 1, 256, 0),
            ],
            fake.Launches.Select(launch => launch.Shape));
        OrderExpertsArguments ordering = MemoryMarshal.Read<OrderExpertsArguments>(fake.Launches[1].Arguments);
        GroupedGateUpArguments gateUp = MemoryMarshal.Read<GroupedGateUpArguments>(fake.Launches[2].Arguments);
        GroupedDownArguments down = MemoryMarshal.Read<GroupedDownArguments>(fake.Launches[3].Arguments);
        Assert.Equal(
            (tokens * 8, 256, rows, tiles), (ordering.Rows, ordering.ExpertCount, ordering.TileRows, ordering.TileCount));
        Assert.Equal((tokens, 8, tiles), (gateUp.Tokens, gateUp.ActiveCount, gateUp.TileCount));
        Assert.Equal((tokens * 8, tiles), (down.Rows, down.TileCount));
    }

    [Fact]
    public void GateUp_OneExpertForAll_TakesTokensInTheirOrder()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);

        kernels.GateUp(stream, GateUp(), 4096, 2);

        FakeLaunch launch = Assert.Single(fake.Launches);
        GroupedGateUpArguments arguments = MemoryMarshal.Read<GroupedGateUpArguments>(launch.Arguments);
        Assert.Equal("grouped_gate_up_128_2", launch.Entry);
        Assert.Equal(new LaunchShape(32 * 16, 1, 1, 256, 98304), launch.Shape);
        Assert.Equal((0, 0, 4096, 1, 32), (
            arguments.Tiles, arguments.Order, arguments.Tokens, arguments.ActiveCount, arguments.TileCount));
    }

    [Fact]
    public void GroupedExperts_SizesThatAreNoWholeLoads_AreRefused()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);
        ExpertGrouping grouping = new(16, 2, 4);

        Assert.Throws<NotSupportedException>(() => kernels.GroupedGateUp(stream, GateUp() with { Columns = 20 }, grouping, 1));
        Assert.Throws<NotSupportedException>(() => kernels.GateUp(stream, GateUp() with { ExpertDim = 12 }, 16, 1));
        Assert.Throws<NotSupportedException>(() => kernels.GroupedDown(stream, Down() with { ExpertDim = 12 }, grouping, 1));
        Assert.Throws<NotSupportedException>(() => kernels.GroupedDown(stream, Down() with { Columns = 20 }, grouping, 1));
        WeightMatrix misaligned = new() { Values = 8 };
        Assert.Throws<ArgumentException>(
            () => kernels.GroupedGateUp(stream, GateUp() with { GateUp = misaligned }, grouping, 1));
        Assert.Throws<ArgumentException>(() => kernels.GroupedDown(stream, Down() with { Outputs = 8 }, grouping, 1));
        Assert.Empty(fake.Launches);
    }

    [Fact]
    public void Launches_Often_MakeNoManagedObjects()
    {
        using FakeCudaDriver fake = new() { IgnoresLaunches = true };
        using CudaDevice device = new(fake.Open(), 0);
        using CudaStream stream = new(device);
        using PrefillKernels kernels = new(device);
        ExpertGrouping grouping = new(512, 8, 256);
        MatMulArguments product = Product(columns: 64, outputs: 4096, tokens: 4096);
        GroupedGateUpArguments gateUp = GateUp();
        kernels.MatMul(stream, product, 2);
        kernels.GroupedGateUp(stream, gateUp, grouping, 2);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            kernels.MatMul(stream, product, 2);
            kernels.GroupedGateUp(stream, gateUp, grouping, 2);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Constructor_ModuleThatDoesNotLoad_GivesTheOthersBack()
    {
        using FakeCudaDriver fake = new() { Failures = { ["cuModuleGetFunction"] = 500 } };
        using CudaDevice device = new(fake.Open(), 0);

        Assert.Throws<CudaException>(() => new PrefillKernels(device));

        Assert.Equal(["context"], fake.Alive);
    }

    [Fact]
    public void Dispose_Twice_UnloadsEachModuleOnce()
    {
        using FakeCudaDriver fake = new();
        using CudaDevice device = new(fake.Open(), 0);
        PrefillKernels kernels = new(device);
        kernels.Require(CudaFormat.BFloat16);
        kernels.Require(CudaFormat.Float8);
        kernels.Require(CudaFormat.Float8);

        kernels.Dispose();
        kernels.Dispose();

        Assert.Equal(Modules.Length + 2 + 2, fake.Calls.Count(call => call == "cuModuleUnload"));
        Assert.Empty(fake.Problems);
    }

    [GeneratedRegex(@"(_fp8|_q8|_q4)?(_\d+)*$")]
    private static partial Regex Sizes();

    private static MatMulArguments Product(int columns, int outputs, int tokens) => new()
    {
        Input = 256,
        Weight = new WeightMatrix { Values = 256 },
        Output = 256,
        Columns = columns,
        Outputs = outputs,
        OutputStride = outputs,
        Tokens = tokens,
        Adds = 0,
    };

    private static GroupedGateUpArguments GateUp() => new()
    {
        Input = 256,
        GateUp = new WeightMatrix { Values = 256 },
        Tiles = 256,
        Order = 256,
        Activations = 256,
        Columns = 2304,
        ExpertDim = 1024,
    };

    private static GroupedDownArguments Down() => new()
    {
        Activations = 256,
        Down = new WeightMatrix { Values = 256 },
        Tiles = 256,
        Order = 256,
        Outputs = 256,
        Columns = 2304,
        ExpertDim = 1024,
    };
}
