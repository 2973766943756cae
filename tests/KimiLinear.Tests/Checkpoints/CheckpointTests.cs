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

    [Fact]
    public void Open_NoFolder_SaysSo()
    {
        using TemporaryFolder folder = new();

        Assert.Throws<DirectoryNotFoundException>(() => Checkpoint.Open(folder.File("none")));
    }

    [Fact]
    public void Open_FolderWithoutWeights_SaysWhatWasLookedFor()
    {
        using TemporaryFolder folder = new();

        FileNotFoundException exception = Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains(folder.Path, exception.Message, StringComparison.Ordinal);
        Assert.Contains("model.safetensors.index.json", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SeveralFilesWithoutIndex_AsksForTheIndex()
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "a.safetensors", "x");
        WriteTensors(folder, "b.safetensors", "y");

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Contains("2 safetensors files", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OneFileOfAnotherName_IsTaken()
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "weights.safetensors", "x");

        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        Assert.True(checkpoint.TryGet("x", out _));
        Assert.False(checkpoint.TryGet("y", out _));
        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => checkpoint.Get("y"));
        Assert.Contains("no tensor y", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TryGet_TypeThatNoWeightMayHave_NamesIt()
    {
        using TemporaryFolder folder = new();
        _ = folder.Write("model.safetensors", SafetensorsBytes.Of(
            """{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2));
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => checkpoint.TryGet("a", out _));

        Assert.Contains("a is stored as I8", exception.Message, StringComparison.Ordinal);
        Assert.Equal("b", Assert.Single(checkpoint.Tensors).Name);
    }

    [Fact]
    public void Open_DamagedShard_ReleasesTheOthers()
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "a.safetensors", "x");
        _ = folder.Write("b.safetensors", [1, 2, 3]);
        WriteIndex(folder, """{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}""");

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.Equal(folder.File("b.safetensors"), exception.FilePath);
        using FileStream exclusive = new(folder.File("a.safetensors"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.True(exclusive.CanWrite);
    }

    [Fact]
    public void Open_MissingShards_NamesThemAll()
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "a.safetensors", "x");
        WriteIndex(
            folder,
            """{"weight_map":{"x":"a.safetensors","y":"b.safetensors","z":"c.safetensors","w":"c.safetensors"}}""");

        AssertRefused(folder, "names 3 files, but 2 of them are not there: b.safetensors, c.safetensors");
    }

    [Fact]
    public void Open_IndexThatDisagrees_ListsEveryDifference()
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "a.safetensors", "x", "stray", "moved");
        WriteTensors(folder, "b.safetensors", "y");
        WriteIndex(
            folder,
            """{"weight_map":{"x":"a.safetensors","y":"b.safetensors","gone":"b.safetensors","moved":"b.safetensors"}}""");

        AssertRefused(
            folder,
            "gone should be in b.safetensors, but is not",
            "moved should be in b.safetensors, but is not",
            "stray is in a.safetensors, but not in the index",
            "moved is in a.safetensors, but the index says b.safetensors");
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{}", "must be a JSON object")]
    [InlineData("""{"weight_map":[]}""", "must be a JSON object")]
    [InlineData("""{"weight_map":{}}""", "names no tensors")]
    [InlineData("""{"weight_map":{"x":1}}""", "x maps to Number")]
    [InlineData("""{"weight_map":{"x":"a.safetensors","x":"a.safetensors"}}""", "not valid JSON")]
    [InlineData("""{"weight_map":{"x":"../a.safetensors"}}""", "'../a.safetensors'")]
    [InlineData("""{"weight_map":{"x":"/etc/passwd"}}""", "'/etc/passwd'")]
    [InlineData("""{"weight_map":{"x":"sub\\a.safetensors"}}""", "in its own folder")]
    [InlineData("""{"weight_map":{"x":"C:a.safetensors"}}""", "in its own folder")]
    [InlineData("""{"weight_map":{"x":".."}}""", "in its own folder")]
    [InlineData("""{"weight_map":{"x":"a\u0000"}}""", "in its own folder")]
    [InlineData("""{"weight_map":{"x":""}}""", "in its own folder")]
    public void Open_DamagedIndex_SaysWhatIsWrong(string index, string expected)
    {
        using TemporaryFolder folder = new();
        WriteTensors(folder, "a.safetensors", "x");
        WriteIndex(folder, index);

        AssertRefused(folder, expected);
    }

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        Checkpoint checkpoint = Checkpoint.Open(TestModels.Golden("plain"));

        checkpoint.Dispose();
        checkpoint.Dispose();

        Assert.NotEmpty(checkpoint.Files);
    }

    private static void AssertRefused(TemporaryFolder folder, params string[] expected)
    {
        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder.Path));

        Assert.All(expected, text => Assert.Contains(text, exception.Message, StringComparison.Ordinal));
        Assert.Equal(folder.File(CheckpointIndex.FileName), exception.FilePath);
    }

    private static void WriteIndex(TemporaryFolder folder, string text) =>
        folder.Write(CheckpointIndex.FileName, System.Text.Encoding.UTF8.GetBytes(text));

    private static void WriteTensors(TemporaryFolder folder, string fileName, params string[] names)
    {
        using SafetensorsWriter writer = new(folder.File(fileName));
        foreach (string name in names)
        {
            writer.Add(name, [1f], 1);
        }

        writer.Complete();
    }
}
