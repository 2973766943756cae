using System.Text;
using System.Text.Json.Nodes;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.Configuration;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class ModelSummaryTests
{
    // The published models' figures, computed by hand from the shapes in their descriptions.
    [Theory]
    [InlineData(256, 49_122_681_728, 3_484_459_904, 3_106_972_544)]
    [InlineData(180, 35_132_220_360, 3_479_905_224, 3_102_417_864)]
    public void Inspect_PublishedConfig_CountsParameters(int expertCount, long total, long active, long computed)
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.With("num_experts", $"{expertCount}"));

        ModelSummary summary = ModelSummary.Inspect(folder.Path);

        Assert.Equal(total, summary.ParameterCount);
        Assert.Equal(active, summary.ActiveParameterCount);
        Assert.Equal(computed, summary.ComputedParameterCount);
        Assert.Equal(7_077_888, summary.ExpertParameterCount);
        Assert.Equal(26, summary.SparseLayerCount);
    }

    [Theory]
    [InlineData(0, 44_892_160)]
    [InlineData(1, 44_892_160 + (64 * 16_128))]
    [InlineData(4096, 110_952_448)]
    [InlineData(131_072, 2_158_821_376)]
    [InlineData(1_048_576, 16_956_325_888)]
    public void SequenceBytes_PublishedConfig_IsSlotAndPages(int tokenCount, long bytes)
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.Json());

        ModelSummary summary = ModelSummary.Inspect(folder.Path);

        Assert.Equal(bytes, summary.SequenceBytes(tokenCount));
    }

    [Fact]
    public void SequenceBytes_NegativeCount_Throws()
    {
        ModelSummary summary = ModelSummary.Inspect(Golden.Model("plain"));

        Assert.Throws<ArgumentOutOfRangeException>(() => summary.SequenceBytes(-1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    public void SequenceBytes_RunningModel_IsWhatItAllocates(int tokenCount)
    {
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model("plain"), new ModelLoadOptions { ThreadCount = 1 });
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, new int[tokenCount], []);

        ModelSummary summary = ModelSummary.Inspect(Golden.Model("plain"));

        Assert.Equal(model.SequenceMemoryBytes, summary.SequenceBytes(tokenCount));
    }

    [Fact]
    public void ComputedParameterCount_TiedEmbedding_IncludesTheTable()
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.With("tie_word_embeddings", "true"));

        ModelSummary summary = ModelSummary.Inspect(folder.Path);

        // the embedding was counted once as a table and once as a head; now it is both
        Assert.Equal(49_122_681_728 - (163_840L * 2304), summary.ParameterCount);
        Assert.Equal(3_106_972_544, summary.ComputedParameterCount);
        Assert.Equal(summary.ComputedParameterCount, summary.ActiveParameterCount);
    }

    [Fact]
    public void Inspect_ConfigAlone_HasNoWeights()
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.Json());

        ModelSummary summary = ModelSummary.Inspect(folder.Path);

        Assert.False(summary.HasWeights);
        Assert.Empty(summary.WeightFiles);
        Assert.Empty(summary.StoredDataTypes);
        Assert.Equal(0, summary.WeightFileBytes);
    }

    [Theory]
    [InlineData("plain", DataType.BFloat16)]
    [InlineData("sharded-f16", DataType.Float16)]
    [InlineData("grouped", DataType.Float32)]
    public void Inspect_Weights_CountsWhatIsStored(string modelName, DataType mostly)
    {
        string directory = Golden.Model(modelName);
        using Checkpoint checkpoint = Checkpoint.Open(directory);

        ModelSummary summary = ModelSummary.Inspect(directory);

        Assert.True(summary.HasWeights);
        Assert.Equal(modelName, summary.Name);
        Assert.Equal(mostly, summary.StoredDataTypes[0].DataType);
        Assert.Equal(summary.ParameterCount, summary.StoredDataTypes.Sum(type => type.ValueCount));
        Assert.Equal(checkpoint.Tensors.Count, summary.StoredDataTypes.Sum(type => type.TensorCount));
        Assert.Equal(checkpoint.Tensors.Sum(tensor => tensor.ByteCount), summary.StoredDataTypes.Sum(type => type.ByteCount));
        Assert.Equal(summary.WeightFiles.Sum(file => new FileInfo(file).Length), summary.WeightFileBytes);
    }

    [Fact]
    public void Inspect_MissingFolder_Throws() =>
        Assert.Throws<DirectoryNotFoundException>(() => ModelSummary.Inspect(Path.Combine(Golden.Root, "no-such-model")));

    [Fact]
    public void Inspect_EmptyFolder_Throws()
    {
        using TemporaryFolder folder = new();

        Assert.Throws<FileNotFoundException>(() => ModelSummary.Inspect(folder.Path));
    }

    [Fact]
    public void Inspect_DamagedWeights_Throws()
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.Json());
        folder.Write("model.safetensors", [1, 2, 3]);

        Assert.Throws<CheckpointFormatException>(() => ModelSummary.Inspect(folder.Path));
    }

    [Fact]
    public void Inspect_WeightsOfAnotherModel_Throws()
    {
        using TemporaryFolder folder = new();
        WriteConfig(folder, PublishedConfig.Json());
        folder.Write("model.safetensors", File.ReadAllBytes(Path.Combine(Golden.Model("plain"), "model.safetensors")));

        ModelFormatException exception = Assert.ThrowsAny<ModelFormatException>(() => ModelSummary.Inspect(folder.Path));

        Assert.Contains("do not fit", exception.Message);
    }

    private static void WriteConfig(TemporaryFolder folder, JsonObject config) =>
        folder.Write("config.json", Encoding.UTF8.GetBytes(config.ToJsonString()));
}
