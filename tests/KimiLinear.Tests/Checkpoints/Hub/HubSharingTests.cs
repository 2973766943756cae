using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>Several who want one model at a time, and models that are damaged afterwards.</summary>
public sealed class HubSharingTests : IDisposable
{
    private readonly HubCase _case = new();

    public void Dispose() => _case.Dispose();

    [Fact]
    public async Task PullAsync_TwoAtATime_FetchOnce()
    {
        TaskCompletionSource bothAsked = new();
        HoldWeights(bothAsked.Task);
        DownloadReports reports = new();

        Task<string> first = _case.PullAsync();
        Task<string> second = new ModelHub(_case.Options).PullAsync(HubCase.Name, progress: reports);
        await Until(() => _case.Hub.Requests.Count(request => request.IsListing) == 2);
        bothAsked.SetResult();

        Assert.Equal(await first, await second);
        Assert.Single(_case.Hub.RequestsFor(HubCase.Weights));
        Assert.Equal(200_008, reports.All[^1].BytesDone);
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_TheFirstIsCancelled_TheSecondGoesOn()
    {
        TaskCompletionSource never = new();
        int asked = 0;
        _case.Hub.Intercept = request => request.IsFor(HubCase.Weights) && Interlocked.Increment(ref asked) == 1
            ? _case.Hub.Usual(request) with { CutAfter = 70_000, Hold = never.Task }
            : null;
        using CancellationTokenSource stop = new();

        Task<string> first = new ModelHub(_case.Options).PullAsync(HubCase.Name, cancellationToken: stop.Token);
        await Until(() => CachedRepository.LengthOf(_case.Partial) == 70_000);
        Task<string> second = _case.PullAsync();
        await Until(() => _case.Hub.Requests.Count(request => request.IsListing) == 2);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await second;
        Assert.Equal([0, 70_000], _case.Hub.RequestsFor(HubCase.Weights).Select(request => request.Start));
        _case.RequireWeights();
    }

    // Whoever has linked the last file uses the model at once.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Link_TwoAtATime_WhatOneHasPutThereStays(bool canLink)
    {
        ModelHubOptions options =
            canLink ? _case.Options : _case.Options with { CreateLink = (_, _) => throw new UnauthorizedAccessException() };
        for (int round = 0; round < 1_000; round++)
        {
            CachedRepository repository = new(_case.Cache, "org/tiny", options);
            string commit = $"{round:x40}";
            HubFile file = new("model.safetensors", 3, $"{round:x64}");
            Directory.CreateDirectory(Path.GetDirectoryName(repository.BlobPath(file))!);
            await File.WriteAllBytesAsync(repository.BlobPath(file), [1, 2, 3], TestContext.Current.CancellationToken);
            string path = Path.Combine(repository.SnapshotPath(commit), file.Path);
            using Barrier start = new(2);

            bool[] wasThere = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    repository.Link(commit, file, isLast: true);
                    bool isThere = true;
                    for (int i = 0; i < 20; i++)
                    {
                        isThere &= CachedRepository.LengthOf(path) == 3;
                    }

                    return isThere;
                },
                TestContext.Current.CancellationToken,
                // Threads of their own: they wait for each other, and other tests need the pool.
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));

            Assert.Equal([true, true], wasThere);
            Assert.Equal([path], Directory.EnumerateFileSystemEntries(repository.SnapshotPath(commit)));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Link_PlaceThatCannotBeTaken_LeavesNothingBehind(bool canLink)
    {
        CachedRepository repository = new(
            _case.Cache,
            "org/tiny",
            canLink ? _case.Options : _case.Options with { CreateLink = (_, _) => throw new UnauthorizedAccessException() });
        string commit = new('0', 40);
        HubFile file = new("model.safetensors", 3, new string('0', 64));
        Directory.CreateDirectory(Path.GetDirectoryName(repository.BlobPath(file))!);
        File.WriteAllBytes(repository.BlobPath(file), [1, 2, 3]);
        string path = Path.Combine(repository.SnapshotPath(commit), file.Path);
        Directory.CreateDirectory(path);

        Assert.ThrowsAny<SystemException>(() => repository.Link(commit, file, isLast: false));

        Assert.Equal([path], Directory.EnumerateFileSystemEntries(repository.SnapshotPath(commit)));
        Assert.Equal(3, CachedRepository.LengthOf(repository.BlobPath(file)));
    }

    [Fact]
    public void SetCommit_PlaceThatCannotBeTaken_LeavesNothingBehind()
    {
        CachedRepository repository = new(_case.Cache, "org/tiny", _case.Options);
        string path = Path.Combine(repository.Folder, "refs", "main");
        Directory.CreateDirectory(path);

        Assert.ThrowsAny<SystemException>(() => repository.SetCommit("main", new string('0', 40)));

        Assert.Equal([path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public async Task PullAsync_LockedByAnother_Waits()
    {
        string path = Path.Combine(
            _case.Cache, ".locks", "models--org--tiny", $"{FakeHub.HashOf(HubCase.Weights, _case.Hub.Files[HubCase.Weights])}.lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        TaskCompletionSource waiting = new();
        DownloadReports reports = new()
        {
            // Whoever waits shows what the other has got.
            OnReport = report => _ = report.BytesDone >= 12_345 && waiting.TrySetResult(),
        };
        _case.LeavePartial(_case.Hub.Files[HubCase.Weights].AsSpan(0, 12_345));

        Task<string> pull;
        using (await BlobLock.AcquireAsync(path, () => { }, TestContext.Current.CancellationToken))
        {
            pull = new ModelHub(_case.Options).PullAsync(HubCase.Name, progress: reports);
            await waiting.Task;
            Assert.Empty(_case.Hub.RequestsFor(HubCase.Weights));
        }

        await pull;
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_CancelledWhileItWaits_Ends()
    {
        TaskCompletionSource never = new();
        HoldWeights(never.Task);
        using CancellationTokenSource stop = new();
        Task<string> first = new ModelHub(_case.Options).PullAsync(HubCase.Name, cancellationToken: stop.Token);
        await Until(() => _case.Hub.RequestsFor(HubCase.Weights).Length == 1);
        using CancellationTokenSource stopSecond = new();
        Task<string> second = new ModelHub(_case.Options).PullAsync(HubCase.Name, cancellationToken: stopSecond.Token);
        await Until(() => _case.Hub.Requests.Count(request => request.IsListing) == 2);

        await stopSecond.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(first.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
    }

    [Fact]
    public async Task VerifyAsync_WholeModel_AsksNobody()
    {
        string path = await _case.PullAsync();
        int before = _case.Hub.Requests.Count;
        DownloadReports reports = new();

        Assert.Equal(path, await new ModelHub(_case.Options with { Offline = true }).VerifyAsync(HubCase.Name, reports));

        Assert.Equal(before, _case.Hub.Requests.Count);
        Assert.Equal((200_008, 4), (reports.All[^1].BytesDone, reports.All[^1].FilesDone));
    }

    [Theory]
    [InlineData(HubCase.Weights)]
    [InlineData("tiktoken.model")]
    public async Task VerifyAsync_DamagedFile_IsNamedAndLeftAlone(string file)
    {
        string path = Path.Combine(await _case.PullAsync(), file);
        Damage(path);
        byte[] damaged = await File.ReadAllBytesAsync(path);

        ModelHubException exception =
            await Assert.ThrowsAsync<ModelHubException>(() => new ModelHub(_case.Options).VerifyAsync(HubCase.Name));

        Assert.Contains($"1 of 4 files of 'org/tiny' are damaged: {file}.", exception.Message, StringComparison.Ordinal);
        Assert.Contains("kimi pull org/tiny --verify", exception.Message, StringComparison.Ordinal);
        Assert.Equal(damaged, await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task PullAsync_VerifyWithADamagedFile_FetchesThatOneAgain()
    {
        string path = await _case.PullAsync();
        Damage(Path.Combine(path, HubCase.Weights));

        Assert.Equal(path, await _case.PullAsync());
        Assert.Single(_case.Hub.RequestsFor(HubCase.Weights));
        Assert.Equal(path, await _case.PullAsync(verify: true));

        Assert.Equal(2, _case.Hub.RequestsFor(HubCase.Weights).Length);
        Assert.Single(_case.Hub.RequestsFor("config.json"));
        _case.RequireWeights();
        await new ModelHub(_case.Options).VerifyAsync(HubCase.Name);
    }

    [Fact]
    public async Task VerifyAsync_CopiesInPlaceOfLinks_AsksTheHubForTheirHashes()
    {
        ModelHubOptions copies = _case.Options with { CreateLink = (_, _) => throw new IOException("No links here.") };
        string path = await _case.PullAsync(copies);

        Assert.Equal(path, await new ModelHub(copies).VerifyAsync(HubCase.Name));
        Assert.EndsWith($"/revision/{_case.Hub.Commit}", _case.Hub.Requests[^1].Path, StringComparison.Ordinal);
        ModelHubException offline = await Assert.ThrowsAsync<ModelHubException>(
            () => new ModelHub(copies with { Offline = true }).VerifyAsync(HubCase.Name));
        Assert.Contains("only the hub knows their hashes", offline.Message, StringComparison.Ordinal);

        Damage(Path.Combine(path, HubCase.Weights));

        await Assert.ThrowsAsync<ModelHubException>(() => new ModelHub(copies).VerifyAsync(HubCase.Name));
        await _case.PullAsync(copies, verify: true);
        _case.RequireWeights();
    }

    [Fact]
    public async Task VerifyAsync_NameThatIsNotCached_SaysSo()
    {
        ModelHubException exception =
            await Assert.ThrowsAsync<ModelHubException>(() => new ModelHub(_case.Options).VerifyAsync(HubCase.Name));

        Assert.Contains("not in the cache", exception.Message, StringComparison.Ordinal);
    }

    private static void Damage(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = stream.Length / 2;
        int value = stream.ReadByte();
        stream.Position--;
        stream.WriteByte((byte)(value ^ 1));
    }

    private static async Task Until(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    private void HoldWeights(Task hold) => _case.Hub.Intercept = request =>
        request.IsFor(HubCase.Weights) ? _case.Hub.Usual(request) with { Before = hold } : null;
}
