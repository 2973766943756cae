using System.Globalization;
using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>What becomes of a file when the connection, the server or an earlier call was not in good order.</summary>
public sealed class BlobDownloadTests : IDisposable
{
    private readonly HubCase _case = new();

    private byte[] Weights => _case.Hub.Files[HubCase.Weights];

    public void Dispose() => _case.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PullAsync_ConnectionCut_GoesOnWhereItWas(bool tellsLength)
    {
        AnswerWeights(1, usual => usual with { CutAfter = 70_000, TellsLength = tellsLength });

        await _case.PullAsync();

        FakeRequest[] requests = _case.Hub.RequestsFor(HubCase.Weights);
        Assert.Equal([0, 70_000], requests.Select(request => request.Start));
        Assert.Equal([TimeSpan.FromSeconds(1)], _case.Waits);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_CutAgainAndAgain_GoesOnAsLongAsThereIsHeadway()
    {
        _case.Hub.Intercept = request => request.IsFor(HubCase.Weights)
            ? _case.Hub.Usual(request) is var usual && usual.Body.Length > 20_000 ? usual with { CutAfter = 20_000 } : usual
            : null;

        await _case.PullAsync();

        Assert.Equal(10, _case.Hub.RequestsFor(HubCase.Weights).Length);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_NoHeadway_GivesUpAndKeepsWhatIsThere()
    {
        _case.LeavePartial(Weights.AsSpan(0, 1000));
        _case.Hub.Intercept = request =>
            request.IsFor(HubCase.Weights) ? _case.Hub.Usual(request) with { CutAfter = 0 } : null;

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains(_case.Hub.Endpoint, exception.Message, StringComparison.Ordinal);
        Assert.Contains("goes on from there", exception.Message, StringComparison.Ordinal);
        Assert.Equal(5, _case.Hub.RequestsFor(HubCase.Weights).Length);
        Assert.Equal([1, 2, 4, 8], _case.Waits.Select(wait => wait.TotalSeconds));
        Assert.Equal(1000, new FileInfo(_case.Partial).Length);
        RequireNoModel();
    }

    [Fact]
    public async Task PullAsync_PartOfAnEarlierCall_IsContinued()
    {
        _case.LeavePartial(Weights.AsSpan(0, 123_456));

        await _case.PullAsync();

        Assert.Equal(123_456, Assert.Single(_case.Hub.RequestsFor(HubCase.Weights)).Start);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_AllOfItInAnEarlierCall_IsCheckedAndTaken()
    {
        _case.LeavePartial(Weights);

        await _case.PullAsync();

        Assert.Empty(_case.Hub.RequestsFor(HubCase.Weights));
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_WrongPartOfAnEarlierCall_IsFetchedFromTheBeginning()
    {
        _case.LeavePartial(new byte[1000]);

        await _case.PullAsync();

        Assert.Equal([1000, 0], _case.Hub.RequestsFor(HubCase.Weights).Select(request => request.Start));
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_TooLongAPartOfAnEarlierCall_IsFetchedFromTheBeginning()
    {
        _case.LeavePartial(new byte[200_001]);

        await _case.PullAsync();

        Assert.Equal(0, Assert.Single(_case.Hub.RequestsFor(HubCase.Weights)).Start);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_ServerWithoutRanges_StartsAnew()
    {
        _case.LeavePartial(Weights.AsSpan(0, 1000));
        AnswerWeights(1, _ => new FakeReply(200, Weights));

        await _case.PullAsync();

        Assert.Equal(1000, Assert.Single(_case.Hub.RequestsFor(HubCase.Weights)).Start);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_ServerWithoutRangesThatIsCutEachTime_GivesUp()
    {
        _case.Hub.Intercept = request =>
            request.IsFor(HubCase.Weights) ? new FakeReply(200, Weights) { CutAfter = 50_000 } : null;

        await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        // Only the first has made headway.
        Assert.Equal(5, _case.Hub.RequestsFor(HubCase.Weights).Length);
        RequireNoModel();
    }

    [Theory]
    [InlineData("bytes 999-199999/200000")]
    [InlineData("bytes 1000-199999/300000")]
    [InlineData("")]
    public async Task PullAsync_AnotherRangeThanAskedFor_StartsAnew(string range)
    {
        _case.LeavePartial(Weights.AsSpan(0, 1000));
        AnswerWeights(1, usual => usual with { Headers = range.Length > 0 ? [$"Content-Range: {range}"] : [] });

        await _case.PullAsync();

        Assert.Equal([1000, 0], _case.Hub.RequestsFor(HubCase.Weights).Select(request => request.Start));
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_RangeRefused_StartsAnew()
    {
        _case.LeavePartial(Weights.AsSpan(0, 1000));
        AnswerWeights(1, _ => new FakeReply(416, []));

        await _case.PullAsync();

        Assert.Equal([1000, 0], _case.Hub.RequestsFor(HubCase.Weights).Select(request => request.Start));
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_Faults_StateNumbersWithCommas()
    {
        _case.Hub.Intercept = request =>
            request.IsFor(HubCase.Weights) ? new FakeReply(200, new byte[300_000]) : null;
        ModelHubException length = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());
        ModelHubException space = await Assert.ThrowsAsync<ModelHubException>(
            () => _case.PullAsync(_case.Options with { FreeBytes = _ => 100_000 }));

        Assert.Contains("must have 200,000 bytes", length.Message, StringComparison.Ordinal);
        Assert.Contains("sends 300,000", length.Message, StringComparison.Ordinal);
        Assert.Contains("has 100,000 left", space.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(300_000)]
    public async Task PullAsync_AnotherLength_IsRefusedAndNothingIsLost(int length)
    {
        _case.LeavePartial(Weights.AsSpan(0, 1000));
        _case.Hub.Intercept = request =>
            request.IsFor(HubCase.Weights) ? new FakeReply(200, new byte[length]) : null;

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("model.safetensors", exception.Message, StringComparison.Ordinal);
        Assert.Contains("200,000 bytes", exception.Message, StringComparison.Ordinal);
        Assert.Contains(length.ToString("N0", CultureInfo.InvariantCulture), exception.Message, StringComparison.Ordinal);
        Assert.Single(_case.Hub.RequestsFor(HubCase.Weights));
        Assert.Equal(1000, new FileInfo(_case.Partial).Length);
        RequireNoModel();
    }

    [Fact]
    public async Task PullAsync_MoreThanItsLengthUnannounced_IsRefused()
    {
        _case.Hub.Intercept = request =>
            request.IsFor(HubCase.Weights) ? new FakeReply(200, [.. Weights, 0]) { TellsLength = false } : null;

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("sends more", exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_case.Partial));
        RequireNoModel();
    }

    [Theory]
    [InlineData(HubCase.Weights)]
    [InlineData("config.json")]
    public async Task PullAsync_OtherContent_IsThrownAway(string file)
    {
        byte[] wrong = [.. _case.Hub.Files[file]];
        wrong[^1] ^= 1;
        _case.Hub.Intercept = request => request.IsFor(file) ? new FakeReply(200, wrong) : null;

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains($"'{file}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(FakeHub.HashOf(file, _case.Hub.Files[file]), exception.Message, StringComparison.Ordinal);
        Assert.Single(_case.Hub.RequestsFor(file));
        Assert.DoesNotContain(
            ModelHubTests.Tree(_case.Repository),
            path => path.Contains(FakeHub.HashOf(file, _case.Hub.Files[file]), StringComparison.Ordinal));
        Assert.False(Directory.Exists(_case.Snapshot));
    }

    [Fact]
    public async Task PullAsync_TruncatedBlob_IsFetchedAgain()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_case.Blob)!);
        await File.WriteAllBytesAsync(_case.Blob, Weights.AsMemory(0, 1000));

        await _case.PullAsync();

        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_SilentServer_CountsAsLost()
    {
        TaskCompletionSource never = new();
        AnswerWeights(1, usual => usual with { CutAfter = 70_000, Hold = never.Task });

        await _case.PullAsync(_case.Options with { StallTimeout = TimeSpan.FromSeconds(2) });

        // More on a machine so busy that other answers take that long too.
        Assert.True(_case.Hub.RequestsFor(HubCase.Weights).Length >= 2);
        RequireWhole();
    }

    [Fact]
    public async Task PullAsync_Cancelled_KeepsWhatIsThere()
    {
        TaskCompletionSource never = new();
        AnswerWeights(1, usual => usual with { CutAfter = 70_000, Hold = never.Task });
        using CancellationTokenSource stop = new();
        DownloadReports reports = new()
        {
            OnReport = report =>
            {
                // Asynchronously, since whoever is stopped would run on this thread.
                if (report.BytesDone >= 70_000 && !stop.IsCancellationRequested && File.Exists(_case.Partial)
                    && new FileInfo(_case.Partial).Length == 70_000)
                {
                    _ = stop.CancelAsync();
                }
            },
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => new ModelHub(_case.Options).PullAsync(HubCase.Name, verify: false, reports, stop.Token));

        Assert.Equal(Weights[..70_000], await File.ReadAllBytesAsync(_case.Partial));
        RequireNoModel();
        await _case.PullAsync();
        Assert.Equal([0, 70_000], _case.Hub.RequestsFor(HubCase.Weights).Select(request => request.Start));
        RequireWhole();
    }

    private void RequireWhole()
    {
        _case.RequireWeights();
        Assert.False(File.Exists(_case.Partial));
        Assert.Equal(_case.Snapshot, new ModelHub(_case.Options).Find(HubCase.Name));
    }

    private void RequireNoModel()
    {
        Assert.False(File.Exists(_case.Blob));
        Assert.False(Directory.Exists(_case.Snapshot));
        Assert.Throws<ModelHubException>(() => new ModelHub(_case.Options).Find(HubCase.Name));
    }

    // The first requests for the weights get another answer than the usual one.
    private void AnswerWeights(int count, Func<FakeReply, FakeReply> answer)
    {
        int asked = 0;
        _case.Hub.Intercept = request => request.IsFor(HubCase.Weights) && Interlocked.Increment(ref asked) <= count
            ? answer(_case.Hub.Usual(request))
            : null;
    }
}
