using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using KimiLinear.Extensions.AI;
using KimiServer.Hosting;
using KimiServer.Tests;
using Microsoft.AspNetCore.Builder;
using OpenAI;
using Xunit;

[assembly: AssemblyFixture(typeof(RunningServer))]

namespace KimiServer.Tests;

/// <summary>A server of the small model on a port of its own, with what tests say to it.</summary>
public sealed class RunningServer : IAsyncLifetime
{
    /// <summary>Longer than anything here takes on a busy machine; a test that waits so long fails.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    private readonly WebApplication _app;

    public RunningServer()
        : this(Settings())
    {
    }

    private RunningServer(ServerSettings settings)
    {
        _app = ChatServer.Build(settings);
        Http = new HttpClient { Timeout = Limit };
    }

    public static string ModelFolder { get; } = Path.Combine(RepositoryRoot(), "samples", "models", "kimi-linear-tiny");

    public HttpClient Http { get; }

    public Uri Address => new(_app.Urls.Single());

    public static ServerSettings Settings(Action<KimiLinearChatClientOptions>? configure = null)
    {
        KimiLinearChatClientOptions model = new() { ModelPath = ModelFolder, Device = "cpu" };
        configure?.Invoke(model);
        return new ServerSettings { Model = model, Port = 0 };
    }

    /// <summary>Starts a server and waits for its model.</summary>
    public static async Task<RunningServer> StartAsync(ServerSettings settings)
    {
        RunningServer server = new(settings);
        await server.InitializeAsync();
        return server;
    }

    /// <summary>Starts a server whose model may take its time.</summary>
    public static async Task<RunningServer> BeginAsync(ServerSettings settings)
    {
        RunningServer server = new(settings);
        await server._app.StartAsync();
        server.Http.BaseAddress = server.Address;
        return server;
    }

    public async ValueTask InitializeAsync()
    {
        await _app.StartAsync();
        Http.BaseAddress = Address;
        await UntilAsync(async () => (await Http.GetAsync("/health")).IsSuccessStatusCode);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>OpenAI's client, which does not try again by itself.</summary>
    public OpenAIClient OpenAi(string key = "none") => new(
        new ApiKeyCredential(key),
        new OpenAIClientOptions { Endpoint = new Uri(Address, "/v1"), RetryPolicy = new ClientRetryPolicy(0) });

    public Task<HttpResponseMessage> PostAsync(string path, object body) => Http.PostAsJsonAsync(path, body);

    public async Task<JsonElement> ReplyAsync(string path, object body)
    {
        using HttpResponseMessage response = await PostAsync(path, body);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>The events of a stream: what stands behind "data:".</summary>
    public async Task<List<string>> EventsAsync(string path, object body)
    {
        using HttpResponseMessage response = await PostAsync(path, body);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string[] parts = (await response.Content.ReadAsStringAsync()).Split("\n\n");
        Assert.Equal("", parts[^1]);
        return [.. parts[..^1].Select(part => part["data: ".Length..])];
    }

    /// <summary>A figure of /metrics.</summary>
    public async Task<double> MetricAsync(string start)
    {
        string[] lines = (await Http.GetStringAsync("/metrics")).Split('\n');
        string line = Assert.Single(lines, line => line.StartsWith($"kimilinear_{start}", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until something has come true.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using CancellationTokenSource limit = new(Limit);
        while (!await holds())
        {
            await Task.Delay(20, limit.Token);
        }
    }

    private static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
