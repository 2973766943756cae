using System.Diagnostics;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace Kimi.Tests;

/// <summary>Models by name, from a hub on this machine.</summary>
public sealed class PullTests : IDisposable
{
    private const string Name = FakeHub.Repository;
    private const string Weights = "model.safetensors";

    private readonly FakeHub _hub = new();
    private readonly TemporaryFolder _cache = new();

    public PullTests()
    {
        foreach (string file in Directory.EnumerateFiles(TestFiles.TinyModel))
        {
            _hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        }
    }

    private string Repository => _cache.File("models--org--tiny");

    private string Snapshot => Path.Combine(Repository, "snapshots", _hub.Commit);

    private string Blob => Path.Combine(Repository, "blobs", FakeHub.HashOf(Weights, _hub.Files[Weights]));

    public void Dispose()
    {
        _hub.Dispose();
        _cache.Dispose();
    }

    [Fact]
    public async Task Pull_Model_WritesWhereItIsAndOtherCommandsFindIt()
    {
        KimiResult pulled = await RunAsync("pull", Name);
        KimiResult tokens = await RunAsync("tokenize", "--model", Name, "Hello");
        KimiResult generated = await RunAsync("generate", "--model", Name, "--ids", "1", "--max-tokens", "1", "--greedy");
        KimiResult inspected = await RunAsync("inspect", Name);

        Assert.Equal(new KimiResult(0, Snapshot + "\n", ""), pulled);
        Assert.Equal((0, ""), (tokens.ExitCode, tokens.Error));
        Assert.Contains("808", tokens.Output);
        Assert.Equal((0, ""), (generated.ExitCode, generated.Error));
        Assert.Equal((0, ""), (inspected.ExitCode, inspected.Error));
        Assert.Contains("org/tiny", inspected.Output);
        Assert.Single(_hub.Requests, request => request.IsListing);
    }

    [Fact]
    public async Task AnyCommand_NameThatIsNotCached_SaysHowToGetIt()
    {
        KimiResult result = await RunAsync("tokenize", "--model", Name, "Hello");

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("kimi pull org/tiny", result.Error);
        Assert.Empty(_hub.Requests);
    }

    [Fact]
    public async Task AnyCommand_DownloadAskedFor_FetchesTheModel()
    {
        KimiResult result = await RunAsync("tokenize", "--model", Name, "--download", "Hello");

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("808", result.Output);
        Assert.True(Directory.Exists(Snapshot));
    }

    [Fact]
    public async Task Pull_Offline_SaysThatItIsNotThere()
    {
        KimiResult result = await RunAsync("pull", Name, "--offline");

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("not in the cache", result.Error);
        Assert.Empty(_hub.Requests);
    }

    [Fact]
    public async Task Pull_Revision_IsFetched()
    {
        KimiResult result = await RunAsync("pull", Name, "--revision", "v1.0");

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.EndsWith("/revision/v1.0", _hub.Requests[0].Path);
        Assert.Equal(_hub.Commit, await File.ReadAllTextAsync(Path.Combine(Repository, "refs", "v1.0")));
    }

    [Theory]
    [InlineData("given twice", Name + "@v1.0", "--revision", "v2.0")]
    [InlineData("cannot be a model's name", "tiny")]
    [InlineData("is here and needs no hub", "/")]
    public async Task Pull_WrongName_SaysSoInOneLine(string expected, params string[] arguments)
    {
        KimiResult result = await RunAsync(["pull", .. arguments]);

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(expected, result.Error);
        Assert.Equal(result.Error.Length - 1, result.Error.IndexOf('\n'));
    }

    [Fact]
    public async Task Pull_VerifyOfADamagedModel_NamesTheFileOfflineAndFetchesItOnline()
    {
        await RunAsync("pull", Name);
        byte[] damaged = [.. _hub.Files[Weights]];
        damaged[1000] ^= 1;
        await File.WriteAllBytesAsync(Blob, damaged);

        KimiResult offline = await RunAsync("pull", Name, "--verify", "--offline");
        KimiResult online = await RunAsync("pull", Name, "--verify");
        KimiResult again = await RunAsync("pull", Name, "--verify", "--offline");

        Assert.Equal((1, ""), (offline.ExitCode, offline.Output));
        Assert.Contains($"damaged: {Weights}.", offline.Error);
        Assert.Equal(new KimiResult(0, Snapshot + "\n", ""), online);
        Assert.Equal(online, again);
    }

    [Fact]
    public async Task Pull_KilledInBetween_LeavesNoModelAndIsContinued()
    {
        TaskCompletionSource never = new();
        int asked = 0;
        _hub.Intercept = request => request.IsFor(Weights) && Interlocked.Increment(ref asked) == 1
            ? _hub.Usual(request) with { CutAfter = 3_000_000, Hold = never.Task }
            : null;
        using (Process process = Start("pull", Name))
        {
            FileInfo partial = new($"{Blob}.incomplete");
            await Until(() =>
            {
                partial.Refresh();
                return partial.Exists && partial.Length == 3_000_000;
            });
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        KimiResult without = await RunAsync("tokenize", "--model", Name, "Hello");
        Assert.Contains("only in part", without.Error);
        Assert.False(Directory.Exists(Snapshot));

        Assert.Equal(new KimiResult(0, Snapshot + "\n", ""), await RunAsync("pull", Name));
        Assert.Equal([0, 3_000_000], _hub.RequestsFor(Weights).Select(request => request.Start));
        Assert.Equal(_hub.Files[Weights], await File.ReadAllBytesAsync(Path.Combine(Snapshot, Weights)));
    }

    [Fact]
    public async Task Pull_TwoProcesses_FetchOnce()
    {
        TaskCompletionSource bothAsked = new();
        _hub.Intercept = request => request.IsFor(Weights) ? _hub.Usual(request) with { Before = bothAsked.Task } : null;

        Task<KimiResult> first = RunAsync("pull", Name);
        Task<KimiResult> second = RunAsync("pull", Name);
        await Until(() => _hub.Requests.Count(request => request.IsListing) == 2);
        bothAsked.SetResult();

        Assert.Equal(new KimiResult(0, Snapshot + "\n", ""), await first);
        Assert.Equal(await first, await second);
        Assert.Single(_hub.RequestsFor(Weights));
    }

    private static async Task Until(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    private Process Start(params string[] arguments)
    {
        ProcessStartInfo start = KimiProcess.StartInfo(arguments);
        foreach (string name in start.Environment.Keys.Where(key => key.StartsWith("HF_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment["HF_ENDPOINT"] = _hub.Endpoint;
        start.Environment["HF_HUB_CACHE"] = _cache.Path;
        start.Environment["HF_HOME"] = _cache.Path;
        return Process.Start(start)!;
    }

    private Task<KimiResult> RunAsync(params string[] arguments) => KimiProcess.RunAsync(Start(arguments));
}
