using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.Configuration;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class CheckpointSchemaTests
{
    [Theory]
    [InlineData(256, 20_493, 49_122_681_728)]
    [InlineData(180, 14_565, 35_132_220_360)]
    public void Expected_PublishedModel_HasItsTensorsAndParameters(int expertCount, int tensorCount, long parameterCount)
    {
        KimiLinearConfig config = PublishedConfig.Parse("num_experts", $"{expertCount}");

        IReadOnlyList<ExpectedTensor> expected = CheckpointSchema.Expected(config);

        Assert.Equal(tensorCount, expected.Count);
        Assert.Equal(parameterCount, expected.Sum(tensor => tensor.Shape.ElementCount));
        Assert.Equal(tensorCount, expected.Select(tensor => tensor.Name).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Validate_ModelFolder_FindsNothingWrong(string folder)
    {
        string path = TestModels.FullPath(folder);
        using Checkpoint checkpoint = Checkpoint.Open(path);
        KimiLinearConfig config = KimiLinearConfig.Load(path);

        CheckpointSchema.Validate(checkpoint, config);

        Assert.Equal(CheckpointSchema.Expected(config).Count, checkpoint.Tensors.Count);
    }

    [Fact]
    public void Validate_OtherConfiguration_ListsEveryKindOfDifferenceOnce()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestModels.Golden("plain"));
        KimiLinearConfig config = KimiLinearConfig.Load(TestModels.Golden("plain"));
        KimiLinearConfig other = config with
        {
            DenseDim = config.DenseDim + 1,
            ExpertCount = config.ExpertCount + 30,
            SharedExpertCount = 0,
        };

        string message = Refusal(checkpoint, other);

        Assert.Contains("mlp.gate_proj.weight must have shape [97, 64], but has [96, 64]", message, StringComparison.Ordinal);
        Assert.Contains("experts.8.w1.weight with shape [32, 64]", message, StringComparison.Ordinal);
        Assert.Contains("not part of this model", message, StringComparison.Ordinal);
        Assert.Contains("shared_experts.gate_proj.weight", message, StringComparison.Ordinal);
        Assert.Contains("270 tensors are missing", message, StringComparison.Ordinal);
        Assert.Contains("and 260 more", message, StringComparison.Ordinal);
        Assert.InRange(message.Split('\n').Length, 5, 50);
    }

    [Fact]
    public void Validate_EveryAcceptedLayout_FindsNothingWrong()
    {
        KimiLinearConfig config = Small();
        using TemporaryFolder folder = new();
        Write(folder, config, change: tensor => tensor.Name switch
        {
            var name when name.EndsWith("A_log", StringComparison.Ordinal) => (DataType.Float32, new Shape(5)),
            var name when name.EndsWith("dt_bias", StringComparison.Ordinal) => (DataType.Float32, tensor.Alternative!),
            var name when name.EndsWith("conv1d.weight", StringComparison.Ordinal) => (DataType.Float16, tensor.Alternative!),
            _ => (DataType.BFloat16, tensor.Shape),
        });
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        CheckpointSchema.Validate(checkpoint, config);

        Assert.Equal(new Shape(2, 4), checkpoint.Get("model.layers.0.self_attn.dt_bias").Shape);
    }

    [Theory]
    [InlineData(DataType.Float8E4M3, "only matrices may be stored in 8-bit floats")]
    [InlineData(DataType.Int32, "stored as Int32")]
    public void Validate_UnusableDataType_NamesIt(DataType type, string expected)
    {
        using TemporaryFolder folder = new();
        Write(folder, Small(), change: tensor => (tensor.Name == WeightNames.FinalNorm ? type : DataType.BFloat16, tensor.Shape));
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        string message = Refusal(checkpoint, Small());

        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("1 tensor is of a data type", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_TooFewDecayValues_SaysHowMany()
    {
        using TemporaryFolder folder = new();
        Write(folder, Small(), change: tensor =>
            (DataType.BFloat16, tensor.Name.EndsWith("A_log", StringComparison.Ordinal) ? new Shape(1) : tensor.Shape));
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        string message = Refusal(checkpoint, Small());

        Assert.Contains("self_attn.A_log must have at least 2 values, but has [1]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_HarmlessExtras_AreTolerated()
    {
        KimiLinearConfig tied = Small() with { TieWordEmbeddings = true };
        using TemporaryFolder folder = new();
        Write(
            folder, tied,
            extras: ["model.layers.1.self_attn.rotary_emb.inv_freq", "model.layers.2.eh_proj.weight", "lm_head.weight"]);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        CheckpointSchema.Validate(checkpoint, tied);

        Assert.DoesNotContain(CheckpointSchema.Expected(tied), tensor => tensor.Name == WeightNames.Head);
        Assert.Contains(checkpoint.Tensors, tensor => tensor.Name == WeightNames.Head);
    }

    [Fact]
    public void Validate_Bias_IsNotPartOfTheModel()
    {
        using TemporaryFolder folder = new();
        Write(folder, Small(), extras: ["model.layers.0.self_attn.q_proj.bias"]);
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        Assert.Contains("self_attn.q_proj.bias", Refusal(checkpoint, Small()), StringComparison.Ordinal);
    }

    private static string Refusal(Checkpoint checkpoint, KimiLinearConfig config) =>
        Assert.Throws<CheckpointFormatException>(() => CheckpointSchema.Validate(checkpoint, config)).Message;

    private static void Write(
        TemporaryFolder folder, KimiLinearConfig config,
        Func<ExpectedTensor, (DataType Type, Shape Shape)>? change = null, string[]? extras = null)
    {
        using SafetensorsWriter writer = new(folder.File("model.safetensors"));
        List<(string Name, DataType Type, Shape Shape)> tensors = [];
        foreach (ExpectedTensor tensor in CheckpointSchema.Expected(config))
        {
            (DataType type, Shape shape) = change?.Invoke(tensor) ?? (DataType.BFloat16, tensor.Shape);
            tensors.Add((tensor.Name, type, shape));
        }

        tensors.AddRange((extras ?? []).Select(name => (name, DataType.Float32, new Shape(1))));
        tensors.ForEach(tensor => writer.Declare(tensor.Name, tensor.Type, tensor.Shape.Lengths));
        tensors.ForEach(tensor => writer.Write(tensor.Name, new byte[tensor.Shape.ElementCount * tensor.Type.SizeInBytes()]));
        writer.Complete();
    }

    private static KimiLinearConfig Small() => PublishedConfig.Parse() with
    {
        VocabularySize = 6,
        HiddenDim = 8,
        DenseDim = 5,
        LayerKinds = [LayerKind.KimiDelta, LayerKind.Latent],
        SparseLayers = [false, true],
        DeltaHeadCount = 2,
        DeltaHeadDim = 4,
        LatentHeadCount = 2,
        LatentRank = 3,
        QkNopeHeadDim = 4,
        QkRopeHeadDim = 2,
        LatentValueDim = 4,
        ExpertCount = 3,
        ActiveExpertCount = 2,
        ExpertDim = 4,
    };
}
