using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>What a download leaves, and what is found again.</summary>
public sealed class ModelHubTests : IDisposable
{
    private readonly HubCase _case = new();

    public void Dispose() => _case.Dispose();

    [Fact]
    public async Task PullAsync_Model_LiesAsPythonLaysItOut()
    {
        _case.Hub.Files[HubCase.Weights] = "abc"u8.ToArray();

        string path = await _case.PullAsync();

        // The hashes are git's and sha256sum's.
        const string commit = "0123456789abcdef0123456789abcdef01234567";
        const string weights = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        Assert.Equal(Path.Combine(_case.Cache, "models--org--tiny", "snapshots", commit), path);
        Assert.Equal(
            [
                "blobs/0967ef424bce6791893e9a57bb952f80fd536e93",
                $"blobs/{weights}",
                "blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
                "blobs/f917a2c299cecfd1baa88af5f6e311ee56e529a8",
                "refs/main",
                $"snapshots/{commit}/config.json",
                $"snapshots/{commit}/generation_config.json",
                $"snapshots/{commit}/model.safetensors",
                $"snapshots/{commit}/tiktoken.model",
            ],
            Tree(_case.Repository));
        Assert.Equal(commit, await File.ReadAllTextAsync(Path.Combine(_case.Repository, "refs", "main")));
        Assert.Equal($"../../blobs/{weights}", new FileInfo(Path.Combine(path, HubCase.Weights)).LinkTarget);
        Assert.True(File.Exists(Path.Combine(_case.Cache, ".locks", "models--org--tiny", $"{weights}.lock")));
    }

    [Fact]
    public async Task PullAsync_RunnableModel_LoadsUnderItsName()
    {
        foreach (string file in Directory.EnumerateFiles(TinyGguf.Folder))
        {
            _case.Hub.Files[Path.GetFileName(file)] = await File.ReadAllBytesAsync(file);
        }

        string path = await _case.PullAsync();

        using KimiLinearModel model = KimiLinearModel.Load(path);
        Assert.Equal("org/tiny", model.Name);
        Assert.Equal("org/tiny", ModelSummary.Inspect(path).Name);
        Assert.Equal([808], KimiTokenizer.Load(path).Encode("Hello"));
    }

    [Fact]
    public async Task PullAsync_Again_AsksForTheListingAlone()
    {
        string first = await _case.PullAsync();
        int before = _case.Hub.Requests.Count;

        string second = await _case.PullAsync();

        Assert.Equal(first, second);
        Assert.Equal(before + 1, _case.Hub.Requests.Count);
        Assert.True(_case.Hub.Requests[^1].IsListing);
        Assert.Equal("blobs=true", _case.Hub.Requests[^1].Query);
    }

    [Fact]
    public async Task PullAsync_NewCommit_FetchesWhatChangedAndMovesTheBranch()
    {
        string first = await _case.PullAsync();
        _case.Hub.Commit = new string('b', 40);
        _case.Hub.Files["tiktoken.model"] = "other words"u8.ToArray();

        string second = await _case.PullAsync();

        Assert.NotEqual(first, second);
        Assert.Single(_case.Hub.RequestsFor(HubCase.Weights));
        Assert.Equal(2, _case.Hub.RequestsFor("tiktoken.model").Length);
        Assert.Equal("words", await File.ReadAllTextAsync(Path.Combine(first, "tiktoken.model")));
        Assert.Equal("other words", await File.ReadAllTextAsync(Path.Combine(second, "tiktoken.model")));
        Assert.Equal(second, new ModelHub(_case.Options).Find(HubCase.Name));
        Assert.Equal(first, new ModelHub(_case.Options).Find($"{HubCase.Name}@0123456789abcdef0123456789abcdef01234567"));
    }

    [Theory]
    [InlineData("v1.0", "v1.0", "refs/v1.0")]
    [InlineData("refs/pr/1", "refs%2Fpr%2F1", "refs/refs/pr/1")]
    public async Task PullAsync_Revision_IsAskedForAndNoted(string revision, string asked, string noted)
    {
        string name = $"{HubCase.Name}@{revision}";

        string path = await _case.PullAsync(name: name);

        Assert.EndsWith($"/revision/{asked}", _case.Hub.Requests[0].Path, StringComparison.Ordinal);
        Assert.All(_case.Hub.Requests.Skip(1), request => Assert.Contains(_case.Hub.Commit, request.Path, StringComparison.Ordinal));
        Assert.Contains(noted, Tree(_case.Repository));
        Assert.Equal(path, new ModelHub(_case.Options).Find(name));
        Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));
    }

    [Fact]
    public async Task PullAsync_SeveralWeightFiles_FetchesThoseOfTheIndex()
    {
        _case.Hub.Files.Remove(HubCase.Weights);
        _case.Hub.Files["model.safetensors.index.json"] =
            """{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"""u8.ToArray();
        _case.Hub.Files["model-00001-of-00002.safetensors"] = HubCase.Bytes(1000, 1);
        _case.Hub.Files["model-00002-of-00002.safetensors"] = HubCase.Bytes(2000, 2);
        _case.Hub.Files["consolidated.safetensors"] = HubCase.Bytes(3000, 3);
        DownloadReports reports = new();

        string path = await new ModelHub(_case.Options).PullAsync(HubCase.Name, progress: reports);

        Assert.Equal(
            [
                "config.json", "generation_config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "model.safetensors.index.json", "tiktoken.model",
            ],
            Tree(path));
        Assert.Empty(_case.Hub.RequestsFor("consolidated.safetensors"));
        Assert.Equal(6, reports.All[^1].FilesTotal);
    }

    [Fact]
    public async Task PullAsync_IndexOfAMissingFile_SaysWhich()
    {
        _case.Hub.Files["model.safetensors.index.json"] = """{"weight_map":{"a":"model-00009-of-00009.safetensors"}}"""u8.ToArray();

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("model-00009-of-00009.safetensors", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_FilesThatAreNeededByNobody_AreLeft()
    {
        _case.Hub.Files["pytorch_model.bin"] = [1];
        _case.Hub.Files["modeling_kimi.py"] = [2];
        _case.Hub.Files["tokenization_kimi.py"] = [3];
        _case.Hub.Files["figures/plot.png"] = [4];
        _case.Hub.Files["chat_template.jinja"] = [5];
        _case.Hub.Files["tokenizer_config.json"] = [6];

        string path = await _case.PullAsync();

        Assert.Equal(
            [
                "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tiktoken.model",
                "tokenizer_config.json",
            ],
            Tree(path));
    }

    [Fact]
    public async Task PullAsync_LinksNotPossible_PutsTheFilesThere()
    {
        ModelHubOptions options = _case.Options with { CreateLink = (_, _) => throw new UnauthorizedAccessException() };

        string path = await _case.PullAsync(options);
        int before = _case.Hub.Requests.Count;
        string again = await _case.PullAsync(options);

        Assert.Equal(path, again);
        Assert.Equal(before + 1, _case.Hub.Requests.Count);
        Assert.All(Directory.EnumerateFiles(path), file => Assert.Null(new FileInfo(file).LinkTarget));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_case.Repository, "blobs")));
        _case.RequireWeights();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PullAsync_FilesOfTheSameContent_AreFetchedOnceAndAllThere(bool canLink)
    {
        _case.Hub.Files["tokenizer_config.json"] = "{}\n"u8.ToArray();
        _case.Hub.Files["added_tokens.json"] = "{}\n"u8.ToArray();
        ModelHubOptions options =
            canLink ? _case.Options : _case.Options with { CreateLink = (_, _) => throw new UnauthorizedAccessException() };

        string path = await _case.PullAsync(options);
        File.Delete(Path.Combine(path, "config.json"));
        await _case.PullAsync(options);

        string[] same = ["tokenizer_config.json", "added_tokens.json", "config.json"];
        Assert.All(same, file => Assert.Equal("{}\n", File.ReadAllText(Path.Combine(path, file))));
        Assert.Equal(canLink ? 1 : 2, same.Sum(file => _case.Hub.RequestsFor(file).Length));
    }

    [Fact]
    public async Task PullAsync_AllOfItInAFolderThatMayNotBeWritten_IsFound()
    {
        string path = await _case.PullAsync();
        Directory.Delete(Path.Combine(_case.Cache, ".locks"), recursive: true);

        Assert.Equal(path, await _case.PullAsync());

        // Nothing was written: not even a lock.
        Assert.False(Directory.Exists(Path.Combine(_case.Cache, ".locks")));
    }

    [Fact]
    public async Task PullAsync_TooLittleSpace_RefusesBeforeTheDownload()
    {
        _case.LeavePartial(_case.Hub.Files[HubCase.Weights].AsSpan(0, 50_000));

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(
            () => _case.PullAsync(_case.Options with { FreeBytes = _ => 150_007 }));

        // 150,000 of the weights, 3 and 5 of the others.
        Assert.Contains("150,008", exception.Message, StringComparison.Ordinal);
        Assert.Contains(_case.Cache, exception.Message, StringComparison.Ordinal);
        Assert.Empty(_case.Hub.RequestsFor(HubCase.Weights));
        await _case.PullAsync(_case.Options with { FreeBytes = _ => 150_008 });
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_FileOutsideTheFolder_IsNotListed()
    {
        _case.Hub.Files["tokenizer/../../../../evil"] = [1];
        _case.Hub.Files["tokenizer\\evil"] = [1];

        string path = await _case.PullAsync();

        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "tiktoken.model"], Tree(path));
    }

    [Fact]
    public async Task PullAsync_Progress_EndsWithAllOfIt()
    {
        DownloadReports reports = new();

        await new ModelHub(_case.Options).PullAsync(HubCase.Name, progress: reports);

        ModelDownloadProgress last = reports.All[^1];
        Assert.Equal((200_008, 200_008, 4, 4), (last.BytesDone, last.BytesTotal, last.FilesDone, last.FilesTotal));
        Assert.Equal(1, last.Fraction);
        Assert.True(last.BytesPerSecond > 0);
        Assert.Contains(reports.All, report => report.File == HubCase.Weights);
        Assert.Equal(reports.All.Select(report => report.BytesDone).Order(), reports.All.Select(report => report.BytesDone));
    }

    [Fact]
    public async Task PullAsync_ProgressWithinTheInterval_IsOneReportAndOneForEachFile()
    {
        DownloadReports reports = new();

        await new ModelHub(_case.Options with { ReportInterval = TimeSpan.FromDays(1) }).PullAsync(HubCase.Name, progress: reports);

        Assert.Equal(5, reports.All.Count);
    }

    [Fact]
    public async Task Find_Path_WinsOverAName()
    {
        await _case.PullAsync();
        ModelHub hub = new(_case.Options);

        Assert.Equal(_case.Cache, hub.Find(_case.Cache));
        Assert.Equal(_case.Blob, await hub.ResolveAsync(_case.Blob));
        Assert.Equal(_case.Snapshot, hub.Find(HubCase.Name));
    }

    [Theory]
    [InlineData("no/such/folder")]
    [InlineData("missing.gguf")]
    public async Task Find_NeitherPathNorName_SaysBoth(string text)
    {
        ModelHub hub = new(_case.Options);

        ModelHubException found = Assert.Throws<ModelHubException>(() => hub.Find(text));
        ModelHubException resolved = await Assert.ThrowsAsync<ModelHubException>(() => hub.ResolveAsync(text));

        Assert.Contains($"'{text}' is no folder and no file", found.Message, StringComparison.Ordinal);
        Assert.Contains("org/name", found.Message, StringComparison.Ordinal);
        Assert.Equal(found.Message, resolved.Message);
        Assert.Empty(_case.Hub.Requests);
    }

    [Fact]
    public void Find_NameThatIsNotCached_SaysHowToFetchIt()
    {
        ModelHubException exception = Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));

        Assert.Contains("'org/tiny' is no folder and no file", exception.Message, StringComparison.Ordinal);
        Assert.Contains($"not in the cache '{_case.Cache}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("kimi pull org/tiny", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_case.Hub.Requests);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData(HubCase.Weights)]
    public async Task Find_SnapshotThatLacksAFile_IsNotTakenForTheModel(string file)
    {
        string path = await _case.PullAsync();
        File.Delete(Path.Combine(path, file));

        ModelHubException exception = Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));

        Assert.Contains("only in part", exception.Message, StringComparison.Ordinal);
        Assert.Equal(path, await new ModelHub(_case.Options).ResolveAsync(HubCase.Name));
        Assert.True(File.Exists(Path.Combine(path, file)));
    }

    [Fact]
    public async Task Find_LinkThatLeadsNowhere_IsNotTakenForTheModel()
    {
        await _case.PullAsync();
        File.Delete(_case.Blob);

        Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));
        await _case.PullAsync();
        _case.RequireWeights();
    }

    [Fact]
    public async Task ResolveAsync_NameInTheCache_AsksNobody()
    {
        string path = await _case.PullAsync();
        int before = _case.Hub.Requests.Count;

        Assert.Equal(path, await new ModelHub(_case.Options).ResolveAsync(HubCase.Name));

        Assert.Equal(before, _case.Hub.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PullAsync_Offline_FindsOnlyWhatIsThere(bool byOption)
    {
        ModelHubOptions offline = byOption
            ? _case.Options with { Offline = true }
            : _case.Options with { Variable = name => name == "HF_HUB_OFFLINE" ? "1" : null };

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync(offline));
        await Assert.ThrowsAsync<ModelHubException>(() => new ModelHub(offline).ResolveAsync(HubCase.Name));

        Assert.Contains("HF_HUB_OFFLINE", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_case.Hub.Requests);
        string path = await _case.PullAsync();
        Assert.Equal(path, await _case.PullAsync(offline));
    }

    internal static string[] Tree(string folder) =>
    [
        .. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal),
    ];
}
