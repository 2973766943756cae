using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kimi.Tests.Evaluation;

/// <summary>A server on this machine that answers every request with status 200 and what a test wants.</summary>
internal sealed class FakeEndpoint : IAsyncDisposable
{
    public const string OneModel = """{"object":"list","data":[{"id":"m","object":"model"}]}""";

    private readonly WebApplication _app;

    private FakeEndpoint(WebApplication app) => _app = app;

    /// <summary>Its address, with the version.</summary>
    public string Address => $"{_app.Urls.Single()}/v1";

    /// <summary>Starts one.</summary>
    /// <param name="models">What it answers when asked for its models.</param>
    /// <param name="reply">What it answers to a conversation, which it is given as JSON.</param>
    public static async Task<FakeEndpoint> StartAsync(string models, Func<string, string> reply)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        app.Run(async context =>
        {
            using StreamReader body = new(context.Request.Body);
            string asked = await body.ReadToEndAsync(context.RequestAborted);
            await context.Response.WriteAsync(
                context.Request.Method == HttpMethods.Get ? models : reply(asked), context.RequestAborted);
        });
        await app.StartAsync();
        return new FakeEndpoint(app);
    }

    /// <summary>A reply as it should be.</summary>
    public static string Reply(string text) => JsonSerializer.Serialize(new
    {
        id = "1",
        created = 1,
        model = "m",
        choices = new[] { new { index = 0, finish_reason = "stop", message = new { role = "assistant", content = text } } },
    });

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
