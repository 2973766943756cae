using System.Net;
using System.Net.Sockets;
using System.Text;
using KimiLinear.Model;
using KimiServer.Hosting;
using Xunit;

namespace KimiServer.Tests;

/// <summary>More than a server can take, and peers that behave badly.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task Requests_MoreThanFit_GetTheirReplyOr429()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings(model =>
        {
            model.MaxConcurrentRequests = 1;
            model.MaxQueuedRequests = 1;
        }));
        using HttpResponseMessage running = await BeginEndlessAsync(server);
        Task<HttpResponseMessage> waiting = server.PostAsync(Asked.Chat, Asked.Introducing());
        await RunningServer.UntilAsync(async () => await server.MetricAsync("num_requests_waiting") == 1);

        using HttpResponseMessage refused = await server.PostAsync(Asked.Chat, Asked.Introducing(stream: true));
        running.Dispose();
        using HttpResponseMessage answered = await waiting;

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.Contains("rate_limit_exceeded", await refused.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task Connection_Dropped_EndsItsRequest()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings());

        using (HttpResponseMessage response = await BeginEndlessAsync(server))
        {
            Assert.Equal(1, await server.MetricAsync("num_requests_running"));
        }

        await RunningServer.UntilAsync(async () => await server.MetricAsync("num_requests_running") == 0);
        Assert.Equal(1, await server.MetricAsync("requests_total{model_name=\"kimi-linear-tiny\",outcome=\"cancelled\"}"));
        await server.ReplyAsync(Asked.Chat, Asked.Introducing());
    }

    [Fact]
    public async Task Reader_WhoDoesNotRead_HoldsNobodyUp()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            RunningServer.Settings(model => model.MaxConcurrentRequests = 1));

        using HttpResponseMessage unread = await BeginEndlessAsync(server);

        // Its place is free once it is too far behind.
        await server.ReplyAsync(Asked.Chat, Asked.Introducing());
    }

    [Fact]
    public async Task Body_LongerThanTheLimit_IsRefused()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            RunningServer.Settings() with { MaxRequestBytes = 1000 });

        using HttpResponseMessage response = await server.PostAsync(
            Asked.Chat, new { messages = Asked.User(new string('a', 2000)) });

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("request_too_large", await response.Content.ReadAsStringAsync());
        await server.ReplyAsync(Asked.Chat, Asked.Introducing());
    }

    [Fact]
    public async Task Conversation_LongerThanTheContext_IsRefusedByItsCode()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            RunningServer.Settings(model => model.MaxContextTokens = 20));

        using HttpResponseMessage response = await server.PostAsync(
            Asked.Chat, new { messages = Asked.User(new string('a', 2000)) });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("context_length_exceeded", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("no HTTP at all\r\n\r\n")]
    [InlineData("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"messages\"")]
    [InlineData("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n")]
    public async Task Peer_WhoLeavesMidSentence_LeavesTheServerHealthy(string sent)
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings());

        using (TcpClient peer = new())
        {
            await peer.ConnectAsync(IPAddress.Loopback, server.Address.Port);
            await peer.GetStream().WriteAsync(Encoding.ASCII.GetBytes(sent));
        }

        await server.ReplyAsync(Asked.Chat, Asked.Introducing());
    }

    [Fact]
    public async Task Keys_Server_LetsInWhoShowsOne()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            RunningServer.Settings() with { ApiKeys = ["first", "second"] });

        foreach (string key in (string[])["first", "second"])
        {
            Assert.Single((await server.OpenAi(key).GetOpenAIModelClient().GetModelsAsync()).Value);
        }

        foreach (string? header in (string?[])[null, "Bearer third", "Bearer ", "first", "Basic first"])
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/v1/models");
            request.Headers.TryAddWithoutValidation("Authorization", header);
            using HttpResponseMessage response = await server.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Contains("invalid_api_key", await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Names_Served_AreAllAnsweredByTheFirst()
    {
        await using RunningServer server = await RunningServer.StartAsync(
            RunningServer.Settings() with { ServedModelNames = ["org/kimi", "kimi"] });

        foreach (string name in (string[])["org/kimi", "kimi"])
        {
            OpenAI.Chat.ChatCompletion reply = await server.OpenAi().GetChatClient(name).CompleteChatAsync("Hello");
            Assert.Equal("org/kimi", reply.Model);
            Assert.True((await server.Http.GetAsync($"/v1/models/{name}")).IsSuccessStatusCode);
        }
    }

    [Fact]
    public async Task Model_StillLoading_IsAnsweredWith503()
    {
        using HeldProgress progress = new();
        await using RunningServer server = await RunningServer.BeginAsync(
            RunningServer.Settings(model => model.LoadProgress = progress));

        foreach (string path in (string[])["/health", "/metrics", "/v1/models"])
        {
            using HttpResponseMessage response = await server.Http.GetAsync(path);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Contains("model_loading", await response.Content.ReadAsStringAsync());
        }

        progress.Release();
        await RunningServer.UntilAsync(async () => (await server.Http.GetAsync("/health")).IsSuccessStatusCode);
    }

    [Fact]
    public async Task Run_ModelThatIsNotThere_FailsWithWhatIsMissing()
    {
        ServerSettings settings = RunningServer.Settings(model => model.ModelPath = "nowhere");

        InvalidOperationException exception = await Assert.ThrowsAsync<InvalidOperationException>(
            () => ChatServer.RunAsync(settings, CancellationToken.None));

        Assert.Contains("'nowhere' does not exist", exception.Message);
    }

    // Reads the head of the answer and nothing else.
    private static async Task<HttpResponseMessage> BeginEndlessAsync(RunningServer server)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, Asked.Completion)
        {
            Content = System.Net.Http.Json.JsonContent.Create(Asked.Endless()),
        };
        HttpResponseMessage response = await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    private sealed class HeldProgress : IProgress<ModelLoadProgress>, IDisposable
    {
        private readonly ManualResetEventSlim _released = new();

        public void Report(ModelLoadProgress value) => _released.Wait(RunningServer.Limit);

        public void Release() => _released.Set();

        public void Dispose() => _released.Dispose();
    }
}
