using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class ModelLocationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Find_GgufFile_IsNamedLikeTheFile()
    {
        string path = _folder.Write("kimi-48b.Q4_K_M.gguf", []);

        ModelLocation location = ModelLocation.Find(path);

        Assert.Equal((path, true, "kimi-48b.Q4_K_M"), (location.Path, location.IsGguf, location.Name));
        Assert.True(location.HasWeights);
    }

    [Fact]
    public void Find_FolderWithOneGgufModel_IsThatModel()
    {
        string path = _folder.Write("a.gguf", []);
        _folder.Write("config.json", "{}"u8);

        Assert.Equal(path, ModelLocation.Find(_folder.Path).Path);
    }

    [Fact]
    public void Find_FolderWithSeveralGgufModels_ListsThem()
    {
        _folder.Write("b.gguf", []);
        _folder.Write("a.gguf", []);

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => ModelLocation.Find(_folder.Path));

        Assert.Contains("2 GGUF models", exception.Message, StringComparison.Ordinal);
        Assert.Contains("a.gguf, b.gguf", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_FolderWithSafetensorsToo_IsTheFolder()
    {
        _folder.Write("a.gguf", []);
        _folder.Write("b.gguf", []);
        _folder.Write("model.safetensors", []);

        ModelLocation location = ModelLocation.Find(_folder.Path);

        Assert.Equal((_folder.Path, false), (location.Path, location.IsGguf));
    }

    [Fact]
    public void Find_NothingThere_Throws()
    {
        DirectoryNotFoundException exception =
            Assert.Throws<DirectoryNotFoundException>(() => ModelLocation.Find(_folder.File("none.gguf")));

        Assert.Contains(_folder.File("none.gguf"), exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("org/name", true)]
    [InlineData("no/such/folder", false)]
    public void Find_NameOnTheHub_SaysWhoKnowsThose(string path, bool isName)
    {
        DirectoryNotFoundException exception = Assert.Throws<DirectoryNotFoundException>(() => ModelLocation.Find(path));

        Assert.Equal(isName, exception.Message.Contains("ModelHub", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567", "org/name")]
    [InlineData("models--org--name/other/0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567")]
    [InlineData("datasets--org--name/snapshots/0123", "0123")]
    [InlineData("models--name/snapshots/0123", "0123")]
    public void Find_FolderOfTheHubsCache_IsNamedLikeTheModel(string folder, string name)
    {
        Directory.CreateDirectory(_folder.File(folder));

        Assert.Equal(name, ModelLocation.Find(_folder.File(folder)).Name);
        Assert.Equal(name, ModelLocation.Find(_folder.File(folder) + Path.DirectorySeparatorChar).Name);
    }

    [Fact]
    public void LoadConfig_FileThatIsNoGguf_SaysWhatToPointTo()
    {
        ModelLocation location = ModelLocation.Find(Path.Combine(GgufGolden.Root, "config.json"));

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => location.LoadConfig());

        Assert.Contains("is no GGUF file", exception.Message, StringComparison.Ordinal);
        Assert.Contains("the folder of a model", exception.Message, StringComparison.Ordinal);
    }
}
