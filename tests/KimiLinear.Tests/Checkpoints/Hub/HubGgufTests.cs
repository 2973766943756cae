using KimiLinear.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>Repositories of GGUF files.</summary>
public sealed class HubGgufTests : IDisposable
{
    private readonly HubCase _case = new();

    public HubGgufTests()
    {
        _case.Hub.Files.Remove(HubCase.Weights);
        _case.Hub.Files["tiny-Q4.gguf"] = HubCase.Bytes(1000, 1);
    }

    public void Dispose() => _case.Dispose();

    [Fact]
    public async Task PullAsync_OnlyGguf_FetchesItAlone()
    {
        string path = await _case.PullAsync();

        Assert.Equal(Path.Combine(_case.Snapshot, "tiny-Q4.gguf"), path);
        Assert.Equal(["tiny-Q4.gguf"], ModelHubTests.Tree(_case.Snapshot));
        Assert.Equal(path, new ModelHub(_case.Options).Find(HubCase.Name));
        Assert.Equal(path, new ModelHub(_case.Options).Find($"{HubCase.Name}:tiny-Q4.gguf"));
    }

    [Fact]
    public async Task PullAsync_SeveralGgufs_AsksToChoose()
    {
        _case.Hub.Files["tiny-Q8.gguf"] = HubCase.Bytes(1000, 2);

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("'org/tiny' holds 2 GGUF models", exception.Message, StringComparison.Ordinal);
        Assert.Contains("tiny-Q4.gguf, tiny-Q8.gguf", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_Chosen_FetchesThatOne()
    {
        _case.Hub.Files["tiny-Q8.gguf"] = HubCase.Bytes(1000, 2);

        string path = await _case.PullAsync(name: $"{HubCase.Name}:tiny-Q8.gguf");

        Assert.Equal(["tiny-Q8.gguf"], ModelHubTests.Tree(_case.Snapshot));
        Assert.Equal(path, new ModelHub(_case.Options).Find($"{HubCase.Name}:tiny-Q8.gguf"));
        Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find($"{HubCase.Name}:tiny-Q4.gguf"));
    }

    [Fact]
    public async Task Find_SeveralPulled_AsksToChoose()
    {
        _case.Hub.Files["tiny-Q8.gguf"] = HubCase.Bytes(1000, 2);
        await _case.PullAsync(name: $"{HubCase.Name}:tiny-Q4.gguf");
        await _case.PullAsync(name: $"{HubCase.Name}:tiny-Q8.gguf");

        ModelHubException exception = Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));

        Assert.Contains("tiny-Q4.gguf, tiny-Q8.gguf", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(":Q8/big-00001-of-00003.gguf")]
    [InlineData(":Q8/big-00002-of-00003.gguf")]
    public async Task PullAsync_InParts_FetchesAllOfThem(string chosen)
    {
        for (int i = 1; i <= 3; i++)
        {
            _case.Hub.Files[$"Q8/big-0000{i}-of-00003.gguf"] = HubCase.Bytes(1000, i);
        }

        string path = await _case.PullAsync(name: $"{HubCase.Name}{chosen}");

        Assert.Equal(Path.Combine(_case.Snapshot, "Q8/big-00001-of-00003.gguf"), path);
        Assert.Equal(3, ModelHubTests.Tree(_case.Snapshot).Length);
        Assert.Equal(_case.Hub.Files["Q8/big-00003-of-00003.gguf"], await File.ReadAllBytesAsync(
            Path.Combine(_case.Snapshot, "Q8/big-00003-of-00003.gguf")));
        Assert.StartsWith("../../../blobs/", new FileInfo(path).LinkTarget, StringComparison.Ordinal);
        Assert.Equal(path, new ModelHub(_case.Options).Find(HubCase.Name));

        File.Delete(Path.Combine(_case.Snapshot, "Q8/big-00003-of-00003.gguf"));

        Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));
    }

    [Fact]
    public async Task PullAsync_MissingPart_SaysWhich()
    {
        _case.Hub.Files["big-00001-of-00002.gguf"] = [1];

        ModelHubException exception =
            await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync(name: $"{HubCase.Name}:big-00001-of-00002.gguf"));

        Assert.Contains("no file 'big-00002-of-00002.gguf'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_NoSuchFile_ListsThoseThere()
    {
        ModelHubException exception =
            await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync(name: $"{HubCase.Name}:other.gguf"));

        Assert.Contains("no file 'other.gguf'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("tiny-Q4.gguf", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_NoModel_SaysSo()
    {
        _case.Hub.Files.Remove("tiny-Q4.gguf");

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("neither safetensors nor GGUF", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_SafetensorsToo_TakesThose()
    {
        _case.Hub.Files[HubCase.Weights] = [1, 2];

        Assert.Equal(_case.Snapshot, await _case.PullAsync());

        Assert.Empty(_case.Hub.RequestsFor("tiny-Q4.gguf"));
    }
}
