using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class CheckpointTests
{
    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Open_ModelFolder_ListsItsTensors(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestModels.FullPath(folder));

        Assert.Equal(checkpoint.Files.Sum(file => new FileInfo(file).Length), checkpoint.TotalBytes);
        Assert.NotEmpty(checkpoint.Tensors);
        Assert.Empty(checkpoint.UnusableTypes);
        Assert.All(checkpoint.Tensors, tensor => Assert.Same(tensor, checkpoint.Get(tensor.Name)));
        Assert.InRange(checkpoint.Tensors.Sum(tensor => tensor.ByteCount), 1, checkpoint.TotalBytes);
    }

    [Fact]
    public void Open_ShardedModel_ReadsEveryShard()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestModels.Golden("sharded-f16"));

        Assert.Equal(11, checkpoint.Files.Count);
        Assert.Equal(DataType.Float16, checkpoint.Get(WeightNames.TokenEmbedding).DataType);
        Assert.EndsWith("00011-of-00011.safetensors", checkpoint.Get(WeightNames.Head).FilePath, StringComparison.Ordinal);
    }
}
