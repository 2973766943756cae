using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>Packed matrices in safetensors files.</summary>
public sealed unsafe class PackedEntryTests
{
    [Theory]
    [InlineData(DataType.PackedQ4, ".q4", 96)]
    [InlineData(DataType.PackedQ8, ".q8", 64)]
    public void Open_PackedMatrix_ReadsBackInPlace(DataType type, string suffix, int columns)
    {
        using TemporaryFolder folder = new();
        PackedTile tile = PackedTile.Encode(type, WeightSamples.Draw("Gaussian", 16 * columns));
        using (SafetensorsWriter writer = new(folder.File("model.safetensors")))
        {
            writer.Declare($"w{suffix}", DataType.UInt8, 1, tile.Bytes.Length);
            writer.Declare("plain", DataType.Float32, 3);
            writer.Write($"w{suffix}", tile.Bytes);
            writer.Write("plain", new byte[12]);
            writer.Complete();
        }

        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        StoredTensor tensor = checkpoint.Get("w");
        Assert.Equal(type, tensor.DataType);
        Assert.Equal(new Shape(16, columns), tensor.Shape);
        Assert.Equal(tile.Bytes.Length, tensor.ByteCount);
        Assert.Equal(0u, (nuint)tensor.Data % PackedLayout.AlignmentBytes);
        Assert.Equal(tile.Bytes, new ReadOnlySpan<byte>(tensor.Data, tile.Bytes.Length).ToArray());
    }

    [Fact]
    public void Declare_AnyNames_BeginsTheDataAtAMultipleOfSixtyFour()
    {
        for (int length = 1; length <= 70; length++)
        {
            using TemporaryFolder folder = new();
            using SafetensorsWriter writer = new(folder.File("model.safetensors"));
            writer.Add(new string('n', length), [1f]);
            writer.Complete();

            Assert.Equal(sizeof(float), new FileInfo(folder.File("model.safetensors")).Length % PackedLayout.AlignmentBytes);
        }
    }

    [Theory]
    [InlineData("w.q4", "[1,321]", 321)]
    [InlineData("w.q4", "[1,64]", 64)]
    [InlineData("w.q4", "[384]", 384)]
    [InlineData("w.q4", "[0,384]", 0)]
    [InlineData("w.q8", "[1,384]", 384)]
    [InlineData("w.q8", "[2,0]", 0)]
    public void Open_ImpossibleSize_IsRefusedByName(string name, string shape, int bytes)
    {
        using TemporaryFolder folder = new();
        string json = $$$"""{"{{{name}}}":{"dtype":"U8","shape":{{{shape}}},"data_offsets":[0,{{{bytes}}}]}}""";
        folder.Write("model.safetensors", SafetensorsBytes.Of(json.PadRight(120), bytes));

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains($"{name} must have the shape", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_UnalignedMatrix_IsRefusedByName()
    {
        using TemporaryFolder folder = new();
        const string Json = """{"w.q4":{"dtype":"U8","shape":[1,384],"data_offsets":[0,384]}}""";
        folder.Write("model.safetensors", SafetensorsBytes.Of(Json.PadRight(64), 384));

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains("w.q4 must begin at a multiple of 64", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PlainAndPacked_IsRefusedByName()
    {
        using TemporaryFolder folder = new();
        using (SafetensorsWriter writer = new(folder.File("model.safetensors")))
        {
            writer.Declare("w.q4", DataType.UInt8, 1, 384);
            writer.Declare("w", DataType.BFloat16, 16, 32);
            writer.Write("w.q4", new byte[384]);
            writer.Write("w", new byte[1024]);
            writer.Complete();
        }

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains("w is there twice", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Validate_PackedRouter_IsRefusedByName()
    {
        using TemporaryFolder folder = new();
        KimiLinearConfig config = KimiLinearConfig.Load(Golden.TinyModel) with { ExpertCount = 32 };
        using (SafetensorsWriter writer = new(folder.File("model.safetensors")))
        {
            writer.Declare("model.layers.1.block_sparse_moe.gate.weight.q8", DataType.UInt8, 2, 2176);
            writer.Write("model.layers.1.block_sparse_moe.gate.weight.q8", new byte[2 * 2176]);
            writer.Complete();
        }

        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        CheckpointFormatException exception =
            Assert.Throws<CheckpointFormatException>(() => CheckpointSchema.Validate(checkpoint, config));

        Assert.Contains(
            "gate.weight is stored as PackedQ8, but is none of the matrices that may be packed", exception.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ColumnsOf_EveryTileSize_IsTheInverseOfTileBytes()
    {
        foreach (DataType type in new[] { DataType.PackedQ4, DataType.PackedQ8 })
        {
            Dictionary<long, long> columnsBySize = Enumerable.Range(1, 40)
                .ToDictionary(blocks => PackedLayout.TileBytes(type, blocks * 32), blocks => blocks * 32L);
            for (long size = -100; size <= columnsBySize.Keys.Max(); size++)
            {
                Assert.Equal(
                    columnsBySize.TryGetValue(size, out long columns) ? columns : null, PackedLayout.ColumnsOf(type, size));
            }
        }
    }
}
