using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class GgufWeightsTests : IDisposable
{
    private const uint Float32 = 0;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(GgufGolden.All), MemberType = typeof(GgufGolden))]
    public void Open_GoldenFile_FitsItsConfiguration(string name)
    {
        ModelLocation location = ModelLocation.Find(GgufGolden.File(name));
        KimiLinearConfig config = location.LoadConfig();

        using Checkpoint checkpoint = Checkpoint.Open(location);

        CheckpointSchema.Validate(checkpoint, config);
        Assert.Equal(CheckpointSchema.Expected(config).Count, checkpoint.Tensors.Count);
        Assert.Equal(39, checkpoint.FileTensors.Count);
    }

    [Fact]
    public void Open_StackedExperts_AreViewsOfTheFileOneAfterAnother()
    {
        using Checkpoint checkpoint = Checkpoint.Open(GgufGolden.File("q4_k_m"));

        float[] stack = Values(checkpoint.FileTensors.Single(tensor => tensor.Name == "blk.1.ffn_down_exps.weight"));
        for (int expert = 0; expert < 4; expert++)
        {
            StoredTensor tensor = InLayer(checkpoint, WeightNames.SparseMoe.ExpertDown(expert));
            Assert.Equal(DataType.GgufQ6K, tensor.DataType);
            Assert.Equal(new Shape(256, 256), tensor.Shape);
            Assert.Equal(stack.Skip(expert * 65_536).Take(65_536), Values(tensor));
        }
    }

    [Fact]
    public void Open_SplitKeyValueUp_IsJoinedPerHead()
    {
        using Checkpoint checkpoint = Checkpoint.Open(GgufGolden.File("q5_k_m"));
        float[] keys = Values(checkpoint.FileTensors.Single(tensor => tensor.Name == "blk.1.attn_k_b.weight"));
        float[] values = Values(checkpoint.FileTensors.Single(tensor => tensor.Name == "blk.1.attn_v_b.weight"));

        StoredTensor joined = InLayer(checkpoint, WeightNames.LatentAttention.KeyValueUp);

        // Heads of 128 key and 128 value rows over a rank of 256; the file has the keys as [2, 256, 128].
        float[] actual = Values(joined);
        Assert.Equal((DataType.Float32, new Shape(512, 256)), (joined.DataType, joined.Shape));
        for (int head = 0; head < 2; head++)
        {
            for (int row = 0; row < 128; row++)
            {
                for (int rank = 0; rank < 256; rank++)
                {
                    float key = keys[(((head * 256) + rank) * 128) + row];
                    float value = values[(((head * 128) + row) * 256) + rank];
                    Assert.Equal(key, actual[(((head * 256) + row) * 256) + rank]);
                    Assert.Equal(value, actual[(((head * 256) + 128 + row) * 256) + rank]);
                }
            }
        }
    }

    [Fact]
    public void Open_DecayFactor_BecomesItsLogarithm()
    {
        GgufWriter writer = GgufGolden.Copy("q4_0");
        _ = writer.Take("blk.0.ssm_a");
        writer.Add("blk.0.ssm_a", Float32, Bytes(-1, -MathF.E), 1, 1, 2, 1);

        using Checkpoint checkpoint = Open(writer);

        float[] logarithms = Values(checkpoint.Get(WeightNames.InLayer(0, WeightNames.KimiDelta.DecayLog)));
        Assert.Equal(0, logarithms[0]);
        Assert.Equal(1, logarithms[1], 1e-6f);
    }

    [Theory]
    [InlineData(0f, "0")]
    [InlineData(1.5f, "1.5")]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    public void Open_DecayFactorThatIsNone_IsRefused(float factor, string named)
    {
        GgufWriter writer = GgufGolden.Copy("q4_0");
        _ = writer.Take("blk.0.ssm_a");
        writer.Add("blk.0.ssm_a", Float32, Bytes(-1, factor), 2, 1);

        Assert.Contains($"blk.0.ssm_a must hold negative numbers only, but holds {named}", Refusal(writer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new long[] { 1, 256, 1, 4 })]
    [InlineData(new long[] { 256, 1, 4 })]
    [InlineData(new long[] { 256, 4 })]
    public void Open_ConvolutionOfAnyRank_HasThePublishedShape(long[] shape)
    {
        GgufWriter writer = GgufGolden.Copy("q4_0");
        GgufWriter.Tensor taps = writer.Take("blk.0.ssm_conv1d_k.weight");
        writer.Add(taps.Name, taps.Type, taps.Bytes, shape);

        using Checkpoint checkpoint = Open(writer);

        StoredTensor tensor = checkpoint.Get(WeightNames.InLayer(0, WeightNames.KimiDelta.KeyConvolution));
        Assert.Equal(new Shape(256, 1, 4), tensor.Shape);
        Assert.Equal(taps.Bytes, ReadBytes(tensor));
    }

    [Fact]
    public void Open_FusedQueryKeyValue_IsDivided()
    {
        GgufWriter writer = GgufGolden.Copy("q8_0");
        GgufWriter.Tensor[] parts = [.. "qkv".Select(part => writer.Take($"blk.0.attn_{part}.weight"))];
        writer.Add("blk.0.attn_qkv.weight", parts[0].Type, [.. parts.SelectMany(part => part.Bytes)], 768, 256);

        AssertSameWeights("q8_0", writer);
    }

    [Fact]
    public void Open_FusedExpertGatesAndUps_AreDivided()
    {
        GgufWriter writer = GgufGolden.Copy("q4_1");
        byte[] gates = writer.Take("blk.1.ffn_gate_exps.weight").Bytes;
        GgufWriter.Tensor ups = writer.Take("blk.1.ffn_up_exps.weight");
        int expertBytes = gates.Length / 4;
        IEnumerable<byte[]> experts = gates.Chunk(expertBytes).Zip(ups.Bytes.Chunk(expertBytes))
            .Select(pair => (byte[])[.. pair.First, .. pair.Second]);
        byte[] fused = [.. experts.SelectMany(bytes => bytes)];
        writer.Add("blk.1.ffn_gate_up_exps.weight", ups.Type, fused, 4, 512, 256);

        AssertSameWeights("q4_1", writer);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Open_OlderWholeKeyValueUp_IsTakenAsItIs(bool keepsTheParts)
    {
        using Checkpoint expected = Checkpoint.Open(GgufGolden.File("f16"));
        float[] joined = Values(InLayer(expected, WeightNames.LatentAttention.KeyValueUp));
        GgufWriter writer = GgufGolden.Copy("f16");
        if (!keepsTheParts)
        {
            _ = writer.Take("blk.1.attn_k_b.weight");
            _ = writer.Take("blk.1.attn_v_b.weight");
        }

        writer.Add("blk.1.attn_kv_b.weight", Float32, Bytes(joined), 512, 256);

        AssertSameWeights("f16", writer);
    }

    [Fact]
    public void Open_NoHead_IsTiedToTheEmbedding()
    {
        GgufWriter writer = GgufGolden.Copy("f16");
        _ = writer.Take("output.weight");
        ModelLocation location = ModelLocation.Find(_folder.Write("x.gguf", writer.ToBytes()));
        KimiLinearConfig config = location.LoadConfig();

        using Checkpoint checkpoint = Checkpoint.Open(location);

        Assert.True(config.TieWordEmbeddings);
        CheckpointSchema.Validate(checkpoint, config);
    }

    [Fact]
    public void Open_UnsupportedType_NamesItWithItsTensor()
    {
        GgufWriter writer = GgufGolden.Copy("q4_0").Add("blk.0.a.weight", 11, new byte[110], 256).Add("b", 77, [1], 1);

        string message = Refusal(writer);

        Assert.Contains("blk.0.a.weight is stored as Q3_K", message, StringComparison.Ordinal);
        Assert.Contains("b is stored as type 77", message, StringComparison.Ordinal);
        Assert.Contains("Q4_K, Q5_K, Q6_K", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OneOfTheSplitPair_AsksForTheOther()
    {
        GgufWriter writer = GgufGolden.Copy("q4_0");
        _ = writer.Take("blk.1.attn_v_b.weight");

        Assert.Contains("needs blk.1.attn_v_b.weight beside it", Refusal(writer), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SplitPairThatDoesNotFit_SaysSo()
    {
        GgufWriter writer = GgufGolden.Copy("f16");
        GgufWriter.Tensor values = writer.Take("blk.1.attn_v_b.weight");
        writer.Add(values.Name, values.Type, values.Bytes, 4, 64, 256);

        Assert.Contains("does not fit blk.1.attn_k_b.weight", Refusal(writer), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WeightInTwoForms_SaysSo()
    {
        GgufWriter writer = GgufGolden.Copy("q4_0").Add("blk.0.attn_qkv.weight", Float32, new byte[12], 3, 1);

        Assert.Contains("in two forms", Refusal(writer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("blk.1.ffn_up_exps.weight", new long[] { 1024, 256 })]
    [InlineData("blk.1.ffn_up_exps.weight", new long[] { 1L << 40, 0, 256 })]
    [InlineData("blk.1.attn_k_b.weight", new long[] { 1L << 40, 0, 256 })]
    [InlineData("blk.1.attn_k_b.weight", new long[] { 512, 128 })]
    public void Open_StackWithoutItsAxes_IsRefused(string name, long[] shape)
    {
        GgufWriter writer = GgufGolden.Copy("f16");
        GgufWriter.Tensor stack = writer.Take(name);
        writer.Add(name, stack.Type, shape.Contains(0) ? [] : stack.Bytes, shape);

        Assert.Contains($"{name} must have three axes", Refusal(writer), StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_UnknownTensor_IsListedUnderItsOwnName()
    {
        GgufWriter writer = GgufGolden.Copy("q4_0").Add("blk.0.attn_gate.weight", Float32, new byte[4], 1);
        ModelLocation location = ModelLocation.Find(_folder.Write("x.gguf", writer.ToBytes()));
        using Checkpoint checkpoint = Checkpoint.Open(location);

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(
            () => CheckpointSchema.Validate(checkpoint, location.LoadConfig()));

        Assert.Contains("blk.0.attn_gate.weight", exception.Message, StringComparison.Ordinal);
    }

    // Every byte of the head of a real file, changed one or a few at a time, and what a loader does before it computes.
    [Fact]
    public void OpenAndValidate_DamagedHead_NeverFailsInAnotherWay()
    {
        byte[] bytes = GgufGolden.Copy("q4_0").ToBytes();
        int headBytes = bytes.AsSpan().IndexOf("blk.1.ffn_up_shexp.weight"u8) + 64;
        string path = _folder.Write("x.gguf", bytes);
        Random random = new(42);
        int refused = 0;
        for (int i = 0; i < 2500; i++)
        {
            int[] places = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(headBytes))];
            Overwrite(path, places, place => (byte)random.Next(256));
            try
            {
                ModelLocation location = ModelLocation.Find(path);
                KimiLinearConfig config = location.LoadConfig();
                using Checkpoint checkpoint = Checkpoint.Open(location);
                CheckpointSchema.Validate(checkpoint, config);
            }
            catch (ModelFormatException)
            {
                refused++;
            }

            Overwrite(path, places, place => bytes[place]);
        }

        Assert.InRange(refused, 1500, 2499);
    }

    private static void Overwrite(string path, int[] places, Func<int, byte> value)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Write);
        foreach (int place in places)
        {
            stream.Position = place;
            stream.WriteByte(value(place));
        }
    }

    private static StoredTensor InLayer(Checkpoint checkpoint, string name) => checkpoint.Get(WeightNames.InLayer(1, name));

    private static float[] Values(StoredTensor tensor)
    {
        float[] values = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, values);
        return values;
    }

    private static unsafe byte[] ReadBytes(StoredTensor tensor) =>
        new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteCount).ToArray();

    private static byte[] Bytes(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private Checkpoint Open(GgufWriter writer) => Checkpoint.Open(_folder.Write("x.gguf", writer.ToBytes()));

    private string Refusal(GgufWriter writer) =>
        Assert.Throws<CheckpointFormatException>(() => Open(writer).Dispose()).Message;

    private void AssertSameWeights(string goldenName, GgufWriter writer)
    {
        ModelLocation location = ModelLocation.Find(_folder.Write("x.gguf", writer.ToBytes()));
        KimiLinearConfig config = location.LoadConfig();
        using Checkpoint expected = Checkpoint.Open(GgufGolden.File(goldenName));
        using Checkpoint actual = Checkpoint.Open(location);
        foreach (ExpectedTensor tensor in CheckpointSchema.Expected(config))
        {
            Assert.Equal(Values(expected.Get(tensor.Name)), Values(actual.Get(tensor.Name)));
        }
    }
}
