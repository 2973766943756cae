using System.Net;
using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>Who is asked, who gets the token, and what refusals become.</summary>
public sealed class HubClientTests : IDisposable
{
    private readonly HubCase _case = new();

    public void Dispose() => _case.Dispose();

    [Fact]
    public async Task PullAsync_Token_GoesToTheHub()
    {
        await _case.PullAsync(_case.Options with { Token = "secret" });

        Assert.All(_case.Hub.Requests, request => Assert.Equal("Bearer secret", request.Authorization));
    }

    [Fact]
    public async Task PullAsync_NoToken_SendsNone()
    {
        await _case.PullAsync();

        Assert.All(_case.Hub.Requests, request => Assert.Null(request.Authorization));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    public async Task PullAsync_RedirectToAnotherHost_KeepsTheTokenBack(string host)
    {
        using FakeHub storage = new() { Files = _case.Hub.Files, Commit = _case.Hub.Commit };
        _case.LeavePartial(_case.Hub.Files[HubCase.Weights].AsSpan(0, 1000));
        _case.Hub.Intercept = request => request.IsListing
            ? null
            : Redirect($"http://{host}:{storage.Port}{request.Path}?signature=1");

        await _case.PullAsync(_case.Options with { Token = "secret" });

        FakeRequest[] stored = [.. storage.Requests];
        Assert.Equal(4 - 1, stored.Length);
        Assert.All(stored, request => Assert.Null(request.Authorization));
        Assert.All(stored, request => Assert.Equal("signature=1", request.Query));
        Assert.Equal(1000, Assert.Single(storage.RequestsFor(HubCase.Weights)).Start);
        Assert.All(_case.Hub.Requests, request => Assert.Equal("Bearer secret", request.Authorization));
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_RedirectOnTheSameHost_IsFollowedWithTheToken()
    {
        _case.Hub.Intercept = request => request.Path.Contains("/renamed/", StringComparison.Ordinal)
            ? _case.Hub.Usual(request with { Path = request.Path.Replace("/renamed/", "/tiny/", StringComparison.Ordinal) })
            : Redirect(request.Path.Replace("/tiny/", "/renamed/", StringComparison.Ordinal));

        await _case.PullAsync(_case.Options with { Token = "secret" });

        Assert.All(_case.Hub.Requests, request => Assert.Equal("Bearer secret", request.Authorization));
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_RedirectToAFile_IsRefused()
    {
        _case.Hub.Intercept = request => Redirect("file:///etc/hostname");

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("not safe", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_RedirectInCircles_Ends()
    {
        _case.Hub.Intercept = request => Redirect(request.Path);

        await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Equal(11, _case.Hub.Requests.Count);
    }

    [Theory]
    [InlineData(401, "", "", "no model 'org/tiny'", "HF_TOKEN")]
    [InlineData(401, "", "secret", "does not accept the access token", "HF_TOKEN")]
    [InlineData(401, "GatedRepo", "", "Ask for access", "HF_TOKEN")]
    [InlineData(403, "GatedRepo", "secret", "Ask for access", "/org/tiny")]
    [InlineData(403, "", "secret", "refuses access to 'org/tiny'", "must allow")]
    [InlineData(404, "RepoNotFound", "secret", "no model 'org/tiny'", "No folder or file here")]
    [InlineData(404, "RevisionNotFound", "", "no branch, tag or commit 'main'", "/org/tiny")]
    [InlineData(418, "", "", "418", "HF_ENDPOINT")]
    public async Task PullAsync_Refusal_SaysWhatToDo(int status, string code, string token, params string[] parts)
    {
        _case.Hub.Intercept = _ => new FakeReply(status, []) { Headers = code.Length > 0 ? [$"X-Error-Code: {code}"] : [] };

        ModelHubException exception =
            await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync(_case.Options with { Token = token }));

        Assert.All(parts, part => Assert.Contains(part, exception.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("secret", exception.Message, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode)status, exception.StatusCode);
        Assert.Single(_case.Hub.Requests);
        Assert.Empty(_case.Waits);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task PullAsync_RefusedForAWhile_TriesAgain(int status)
    {
        int asked = 0;
        _case.Hub.Intercept = _ => Interlocked.Increment(ref asked) <= 2 ? new FakeReply(status, []) : null;

        await _case.PullAsync();

        Assert.Equal([1, 2], _case.Waits.Select(wait => wait.TotalSeconds));
        _case.RequireWeights();
    }

    [Theory]
    [InlineData(429, "Try again later")]
    [InlineData(500, "500")]
    public async Task PullAsync_RefusedAllTheTime_GivesUp(int status, string expected)
    {
        _case.Hub.Intercept = _ => new FakeReply(status, []);

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode)status, exception.StatusCode);
        Assert.Equal(5, _case.Hub.Requests.Count);
        Assert.Equal([1, 2, 4, 8], _case.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task PullAsync_RetryAfter_IsHonoured()
    {
        int asked = 0;
        _case.Hub.Intercept = _ =>
            Interlocked.Increment(ref asked) == 1 ? new FakeReply(429, []) { Headers = ["Retry-After: 17"] } : null;

        await _case.PullAsync();

        Assert.Equal([17], _case.Waits.Select(wait => wait.TotalSeconds));
    }

    [Fact]
    public async Task PullAsync_RetryAfterALongTime_SaysSoAtOnce()
    {
        _case.Hub.Intercept = _ => new FakeReply(429, []) { Headers = ["Retry-After: 600"] };

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("in 600 seconds", exception.Message, StringComparison.Ordinal);
        Assert.Single(_case.Hub.Requests);
        Assert.Empty(_case.Waits);
    }

    [Fact]
    public async Task PullAsync_ExpiredAddressOfAStorage_AsksTheHubAgain()
    {
        using FakeHub storage = new() { Files = _case.Hub.Files, Commit = _case.Hub.Commit };
        storage.Intercept = request => request.Query == "signature=1" ? new FakeReply(403, []) : null;
        int asked = 0;
        _case.Hub.Intercept = request => request.IsFor(HubCase.Weights)
            ? Redirect($"{storage.Endpoint}{request.Path}?signature={Interlocked.Increment(ref asked)}")
            : null;

        await _case.PullAsync();

        Assert.Equal(2, storage.Requests.Count);
        _case.RequireWeights();
    }

    [Fact]
    public async Task PullAsync_NobodyThere_SaysWhichHost()
    {
        string endpoint = _case.Hub.Endpoint;
        _case.Hub.Dispose();

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(
            () => _case.PullAsync(_case.Options with { Endpoint = new Uri(endpoint) }));

        Assert.Contains(endpoint, exception.Message, StringComparison.Ordinal);
        Assert.Null(exception.StatusCode);
        Assert.Equal(4, _case.Waits.Count);
    }

    [Theory]
    [InlineData("<html>Please log in</html>")]
    [InlineData("[]")]
    [InlineData("{\"sha\":\"main\",\"siblings\":[]}")]
    [InlineData("{\"sha\":\"0123456789abcdef0123456789abcdef01234567\"}")]
    public async Task PullAsync_AnswerThatIsNoListing_SaysSo(string answer)
    {
        _case.Hub.Intercept = _ => new FakeReply(200, System.Text.Encoding.UTF8.GetBytes(answer));

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("HF_ENDPOINT", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_FileWithoutAHash_IsRefused()
    {
        _case.Hub.Intercept = _ => new FakeReply(200, """
            {"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[
                {"rfilename":"config.json","size":3,"blobId":"../../../evil"},{"rfilename":"model.safetensors"}]}
            """u8.ToArray());

        ModelHubException exception = await Assert.ThrowsAsync<ModelHubException>(() => _case.PullAsync());

        Assert.Contains("what it hashes to", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PullAsync_EndpointWithAPath_IsKept()
    {
        _case.Hub.Intercept = request => request.Path.StartsWith("/mirror/", StringComparison.Ordinal)
            ? _case.Hub.Usual(request with { Path = request.Path["/mirror".Length..] })
            : new FakeReply(500, []);

        await _case.PullAsync(_case.Options with { Endpoint = new Uri($"{_case.Hub.Endpoint}/mirror/") });

        _case.RequireWeights();
    }

    private static FakeReply Redirect(string location) => new(302, []) { Headers = [$"Location: {location}"] };
}
