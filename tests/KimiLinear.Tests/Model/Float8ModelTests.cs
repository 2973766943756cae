using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>Published checkpoints of 8-bit floats against checkpoints that hold their values.</summary>
public sealed class Float8ModelTests
{
    private static readonly string[] Models = ["plain", "head128", "grouped"];

    public static TheoryData<string, string> Cases => new MatrixTheoryData<string, string>(Models, Float8ModelFolder.Kinds);

    public static TheoryData<string, string> BackendCases =>
        new MatrixTheoryData<string, string>(Backend.Available, Float8ModelFolder.Kinds);

    [Theory]
    [MemberData(nameof(BackendCases))]
    public void Forward_AnyBackend_SameBitsAsTheValues(string backend, string kind)
    {
        using Float8ModelFolder folder = new("plain", kind);
        using GoldenExpectation expected = new("plain");

        TensorAssert.Identical(
            Logits(folder.Path, backend, expected.InputIds), Logits(folder.ValuesPath, backend, expected.InputIds), "logits");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AnyModel_SameBitsAsTheValuesAndNearTheOriginal(string modelName, string kind)
    {
        using Float8ModelFolder folder = new(modelName, kind);
        using GoldenExpectation expected = new(modelName);

        float[] logits = Logits(folder.Path, Backend.Default, expected.InputIds);

        TensorAssert.Identical(logits, Logits(folder.ValuesPath, Backend.Default, expected.InputIds), "logits");
        Assert.InRange(TensorAssert.RelativeRms(logits, expected.Logits), 1e-3, 0.5);
    }

    [Theory]
    [InlineData(WeightFormat.BFloat16)]
    [InlineData(WeightFormat.Q8)]
    public void Pack_FromFloat8_SameBytesAsFromTheValues(WeightFormat format)
    {
        using Float8ModelFolder folder = new("head128", "block");
        string fromCodes = folder.Path + "-packed";
        string fromValues = folder.ValuesPath + "-packed";
        try
        {
            ModelPacker.Pack(folder.Path, fromCodes, format);
            ModelPacker.Pack(folder.ValuesPath, fromValues, format);

            using Checkpoint codes = Checkpoint.Open(fromCodes);
            using Checkpoint values = Checkpoint.Open(fromValues);
            HashSet<string> packed =
                [.. values.Tensors.Where(tensor => tensor.DataType == DataType.PackedQ8).Select(tensor => tensor.Name)];
            foreach (StoredTensor tensor in codes.Tensors)
            {
                if (packed.Contains(tensor.Name) || (format == WeightFormat.BFloat16 && tensor.Shape.Rank == 2))
                {
                    StoredTensor other = values.Get(tensor.Name);
                    Assert.Equal(other.DataType, tensor.DataType);
                    Assert.True(Bytes(tensor).SequenceEqual(Bytes(other)), tensor.Name);
                }

                Assert.NotEqual(DataType.Float8E4M3, tensor.DataType);
            }

            Assert.Equal(format == WeightFormat.Q8, packed.Count > 0);
            Assert.NotEqual("fp8", (string?)System.Text.Json.Nodes.JsonNode.Parse(
                File.ReadAllText(Path.Combine(fromCodes, "config.json")))!["quantization_config"]?["quant_method"]);
        }
        finally
        {
            Directory.Delete(fromCodes, recursive: true);
            Directory.Delete(fromValues, recursive: true);
        }
    }

    [Fact]
    public void Convert_ToFloat8_StoresLargeMatricesSoAndLeavesTheRest()
    {
        KimiLinearConfig config = KimiLinearConfig.Load(Golden.Model("head128"));
        using Checkpoint source = Checkpoint.Open(Golden.Model("head128"));
        using Checkpoint converted =
            new WeightConversion(Checkpoint.Open(Golden.Model("head128")), config, WeightFormat.Float8).Run(3, null, default);
        string[] left =
        [
            WeightNames.TokenEmbedding, WeightNames.InLayer(0, WeightNames.KimiDelta.DecayGateDown),
            WeightNames.InLayer(0, WeightNames.KimiDelta.DecayGateUp), WeightNames.InLayer(0, WeightNames.KimiDelta.Beta),
            WeightNames.InLayer(0, WeightNames.KimiDelta.OutputGateUp), WeightNames.InLayer(1, WeightNames.SparseMoe.Router),
        ];

        Assert.All(left, name => Assert.Equal(DataType.BFloat16, converted.Get(name).DataType));
        Assert.Equal(DataType.Float8E4M3, converted.Get(WeightNames.Head).DataType);
        foreach (StoredTensor tensor in converted.Tensors)
        {
            float[] values = Read(source.Get(tensor.Name));
            float[] kept = Read(tensor);
            double smallestStep = values.Max(Math.Abs) / 448 / 1024;
            for (int i = 0; i < values.Length; i++)
            {
                // Half a step of three bits of mantissa, or of the smallest numbers of a block.
                double bound = tensor.DataType == DataType.Float8E4M3
                    ? Math.Max(Math.Abs(values[i]) / 16, smallestStep) * 1.0001
                    : 0;
                Assert.InRange(kept[i] - values[i], -bound, bound);
            }
        }
    }

    [Theory]
    [InlineData("head128")]
    [InlineData("plain")]
    public void Load_ConvertedToFloat8_StaysNearTheOriginal(string modelName)
    {
        using GoldenExpectation expected = new(modelName);
        ModelLoadOptions options = new() { Device = ComputeDevice.Cpu, Format = WeightFormat.Float8 };
        using KimiLinearModel model = KimiLinearModel.Load(Golden.Model(modelName), options);

        Assert.InRange(TensorAssert.RelativeRms(model.EveryLogits(expected.InputIds), expected.Logits), 1e-3, 0.5);
    }

    [Fact]
    public void Pack_IntoFloat8_IsRefused() => Assert.Contains(
        "must be BFloat16, Q8, Q4 or Q4Q8, but is Float8",
        Assert.Throws<ArgumentException>(() => ModelPacker.Pack(Golden.TinyModel, "nowhere", WeightFormat.Float8)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Inspect_BlockScales_CountsThemIn()
    {
        using Float8ModelFolder folder = new("head128", "block");

        ModelSummary summary = ModelSummary.Inspect(folder.Path);

        StoredDataType codes = summary.StoredDataTypes.Single(type => type.DataType == DataType.Float8E4M3);
        Assert.InRange(codes.BitsPerValue, 8.0001, 8.2);
        Assert.Equal(summary.StoredDataTypes.Sum(type => type.ValueCount), Values(folder.ValuesPath));
    }

    [Fact]
    public void Load_ScalesThatFitNothing_SaysWhichDo()
    {
        using Float8ModelFolder folder = new("plain", "tensor");
        string path = Path.Combine(folder.Path, "model.safetensors");
        byte[] file = File.ReadAllBytes(path);
        byte[] name = "self_attn.q_proj.weight_scale"u8.ToArray();
        int at = file.AsSpan().IndexOf(name);
        "self_attn.q_proj.weight_scalf"u8.CopyTo(file.AsSpan(at));
        File.WriteAllBytes(path, file);

        CheckpointFormatException exception =
            Assert.Throws<CheckpointFormatException>(() => KimiLinearModel.Load(folder.Path));

        Assert.Contains(
            "self_attn.q_proj.weight is stored as Float8E4M3 without scales that fit it",
            exception.Message,
            StringComparison.Ordinal);
        Assert.Contains("self_attn.q_proj.weight_scale_inv or ", exception.Message, StringComparison.Ordinal);
        Assert.Contains("self_attn.q_proj.weight_scalf", exception.Message, StringComparison.Ordinal);
    }

    private static float[] Logits(string folder, string backend, int[] ids)
    {
        using KimiLinearModel model = Backend.Load(folder, backend);
        return model.EveryLogits(ids);
    }

    private static unsafe float[] Read(StoredTensor tensor)
    {
        float[] values = new float[tensor.Shape.ElementCount];
        fixed (float* target = values)
        {
            StoredRows.Read(tensor, 0, (int)StoredRows.CountOf(tensor), target);
        }

        return values;
    }

    private static long Values(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return checkpoint.Tensors.Sum(tensor => tensor.Shape.ElementCount);
    }

    private static unsafe ReadOnlySpan<byte> Bytes(StoredTensor tensor) => new(tensor.Data, (int)tensor.ByteCount);
}
