using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

[Collection(ProcessWide.Name)]
public sealed class RandomModelTests
{
    private static readonly KimiLinearConfig Config = KimiLinearConfig.Load(Golden.TinyModel);

    public RandomModelTests()
    {
        // What other tests left to the finalizer must not change the counter later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    public static TheoryData<WeightFormat> Formats() =>
        [WeightFormat.BFloat16, WeightFormat.Q8, WeightFormat.Q4, WeightFormat.Q4Q8, WeightFormat.Float8];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Create_AnyFormat_HasEveryTensorInItsType(WeightFormat format)
    {
        using Checkpoint checkpoint = Create(format, seed: 1, threadCount: 2);

        foreach (ExpectedTensor expected in CheckpointSchema.Expected(Config))
        {
            StoredTensor tensor = checkpoint.Get(expected.Name);
            Assert.Equal(expected.Shape, tensor.Shape);
            Assert.Equal(PackingRecipe.TypeOf(format, expected.Name, expected.Shape) ?? DataType.BFloat16, tensor.DataType);
        }

        Assert.Equal(format != WeightFormat.BFloat16, checkpoint.Tensors.Any(tensor => tensor.DataType != DataType.BFloat16));
        Assert.Equal(checkpoint.Tensors.Sum(tensor => tensor.TotalByteCount), checkpoint.TotalBytes);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Create_AnyFormat_MatricesSpreadAroundZero(WeightFormat format)
    {
        using Checkpoint checkpoint = Create(format, seed: 3, threadCount: 1);

        foreach (string name in (string[])
            [WeightNames.TokenEmbedding, WeightNames.Head, WeightNames.InLayer(1, WeightNames.SparseMoe.ExpertUp(0))])
        {
            float[] values = Values(checkpoint.Get(name));
            double mean = values.Average();
            double deviation = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
            Assert.InRange(deviation, 0.0190, 0.0210);
            Assert.InRange(mean, -0.001, 0.001);
        }
    }

    [Fact]
    public void Create_Norms_AreOne()
    {
        using Checkpoint checkpoint = Create(WeightFormat.Q4, seed: 1, threadCount: 1);

        Assert.All(Values(checkpoint.Get(WeightNames.FinalNorm)), value => Assert.Equal(1, value));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Create_SameSeed_GivesTheSameBytesOnAnyNumberOfThreads(WeightFormat format)
    {
        using Checkpoint one = Create(format, seed: 7, threadCount: 1);
        using Checkpoint four = Create(format, seed: 7, threadCount: 4);
        using Checkpoint other = Create(format, seed: 8, threadCount: 4);

        foreach (StoredTensor tensor in one.Tensors)
        {
            Assert.True(Bytes(tensor).SequenceEqual(Bytes(four.Get(tensor.Name))), $"{tensor.Name} must not depend on threads.");
        }

        StoredTensor head = one.Get(WeightNames.Head);
        Assert.False(Bytes(head).SequenceEqual(Bytes(other.Get(head.Name))), "Another seed must give other weights.");
    }

    [Fact]
    public void Create_Pieces_AreAllDifferent()
    {
        using Checkpoint checkpoint = Create(WeightFormat.Q4, seed: 1, threadCount: 2);
        HashSet<string> seen = [];

        foreach (StoredTensor tensor in checkpoint.Tensors.Where(tensor => PackedLayout.IsPacked(tensor.DataType)))
        {
            long tileBytes = PackedLayout.TileBytes(tensor.DataType, tensor.Shape[1]);
            for (long tile = 0; tile < RandomValues.PieceCount(tensor); tile++)
            {
                ReadOnlySpan<byte> codes = Bytes(tensor).Slice((int)(tile * tileBytes) + 128, 64);
                Assert.True(seen.Add(Convert.ToHexString(codes)), $"Tile {tile} of {tensor.Name} repeats another.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void CreateRandom_AnyFormat_ComputesFiniteLogitsThatDependOnTheSeed(WeightFormat format)
    {
        using KimiLinearModel model = KimiLinearModel.CreateRandom(Config, format, seed: 5);
        using KimiLinearModel same = KimiLinearModel.CreateRandom(
            Config, format, new ModelLoadOptions { ThreadCount = 1 }, seed: 5);
        using KimiLinearModel other = KimiLinearModel.CreateRandom(Config, format, seed: 6);
        int[] ids = [.. Enumerable.Range(0, 100)];

        float[] logits = model.EveryLogits(ids);

        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        Assert.InRange(logits.Max() - logits.Min(), 0.1f, 100);
        Assert.Equal(logits, same.EveryLogits(ids));
        Assert.NotEqual(logits, other.EveryLogits(ids));
        Assert.Equal("random", model.Name);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void CreateRandom_Disposed_ReturnsItsMemory(WeightFormat format)
    {
        long before = NativeBuffer.AllocatedBytes;

        var model = KimiLinearModel.CreateRandom(Config, format);
        long weightBytes = model.WeightBytes;
        long taken = NativeBuffer.AllocatedBytes - before;
        model.Dispose();

        Assert.InRange(taken, weightBytes, long.MaxValue);
        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Fact]
    public void CreateRandom_CancelledAtAnyReport_LeavesNothingBehind()
    {
        long before = NativeBuffer.AllocatedBytes;
        Reports all = new();
        KimiLinearModel.CreateRandom(Config, WeightFormat.Q4, progress: all).Dispose();
        Assert.Equal(1, all.Last().Fraction);

        for (int stop = 1; stop < all.Count; stop++)
        {
            using CancellationTokenSource source = new();
            int count = 0;
            int last = stop;
            Reports reports = new()
            {
                OnReport = _ =>
                {
                    if (++count == last)
                    {
                        source.Cancel();
                    }
                },
            };

            Assert.ThrowsAny<OperationCanceledException>(() => KimiLinearModel.CreateRandom(
                Config, WeightFormat.Q4, progress: reports, cancellationToken: source.Token));

            Assert.Equal(before, NativeBuffer.AllocatedBytes);
        }
    }

    [Theory]
    [InlineData(WeightFormat.Source)]
    [InlineData((WeightFormat)17)]
    public void CreateRandom_NoFormat_Throws(WeightFormat format)
    {
        ArgumentException exception =
            Assert.Throws<ArgumentException>(() => KimiLinearModel.CreateRandom(Config, format));

        Assert.Contains("must be BFloat16, Q8, Q4, Q4Q8 or Float8", exception.Message);
    }

    [Fact]
    public void CreateRandom_NoConfig_Throws() =>
        Assert.Throws<ArgumentNullException>(() => KimiLinearModel.CreateRandom(null!, WeightFormat.Q4));

    public static TheoryData<KimiLinearConfig, string> ImpossibleConfigs() => new()
    {
        { Config with { HiddenDim = 0 }, "HiddenDim must be between 1 and 1048576, but is 0" },
        { Config with { VocabularySize = -1 }, "VocabularySize must be between 1 and 16777216, but is -1" },
        { Config with { LayerKinds = [] }, "LayerCount must be" },
        { Config with { LayerKinds = null! }, "LayerKinds" },
        { Config with { SparseLayers = [true] }, "SparseLayers must have one entry for each of the 6 layers, but has 1" },
        { Config with { ExpertCount = 0 }, "ExpertCount must be" },
        { Config with { ExpertCount = 3 }, "num_experts_per_token must be at most num_experts (3), but is 4" },
        { Config with { ExpertDim = int.MaxValue }, "ExpertDim must be" },
    };

    [Theory]
    [MemberData(nameof(ImpossibleConfigs), DisableDiscoveryEnumeration = true)]
    public void CreateRandom_ImpossibleConfig_SaysWhichValue(KimiLinearConfig config, string expected)
    {
        Exception exception = Assert.ThrowsAny<Exception>(() => KimiLinearModel.CreateRandom(config, WeightFormat.BFloat16));

        Assert.True(exception is ArgumentException or ModelConfigurationException, $"{exception.GetType()} was thrown.");
        Assert.Contains(expected, exception.Message);
    }

    [Fact]
    public void CreateRandom_MoreThanTheMemory_ThrowsBeforeTakingAny()
    {
        long before = NativeBuffer.AllocatedBytes;
        KimiLinearConfig huge = Config with { VocabularySize = 1 << 24, HiddenDim = 1 << 20 };

        Assert.Throws<InsufficientMemoryException>(() => KimiLinearModel.CreateRandom(huge, WeightFormat.BFloat16));

        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    private static Checkpoint Create(WeightFormat format, int seed, int threadCount) =>
        new RandomWeights(Config, format, seed).Create(threadCount, progress: null, TestContext.Current.CancellationToken);

    private static unsafe ReadOnlySpan<byte> Bytes(StoredTensor tensor) => new(tensor.Data, (int)tensor.ByteCount);

    private static unsafe float[] Values(StoredTensor tensor)
    {
        float[] values = new float[tensor.Shape.ElementCount];
        if (tensor.DataType == DataType.Float8E4M3)
        {
            fixed (float* target = values)
            {
                StoredRows.Read(tensor, 0, (int)tensor.Shape[0], target);
            }

            return values;
        }

        long columns = tensor.Shape[tensor.Shape.Rank - 1];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = PackedLayout.IsPacked(tensor.DataType)
                ? PackedLayout.Read(tensor.DataType, tensor.Data, columns, i / columns, i % columns)
                : StoredValues.Read(tensor.Data, tensor.DataType, i);
        }

        return values;
    }
}
