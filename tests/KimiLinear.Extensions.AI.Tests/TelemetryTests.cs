using System.Diagnostics;
using KimiLinear.Configuration;
using KimiLinear.Scheduling;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Logs and listeners that fail cost nobody a reply or a model.</summary>
public sealed class TelemetryTests(TinyModel tiny)
{
    [Fact]
    public async Task GetResponseAsync_ListenerOfSpansFails_IsLoggedOnce()
    {
        using Activity mine = new Activity("mine").Start();
        using ActivityListener broken = new()
        {
            ShouldListenTo = source => source.Name == GenerationEngine.TelemetryName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                if (span.TraceId == mine.TraceId)
                {
                    throw new InvalidOperationException("The listener is broken.");
                }
            },
        };
        ActivitySource.AddActivityListener(broken);
        RecordingLogger logger = new();
        using KimiLinearChatClient client = Create(logger);

        ChatResponse first = await AskAsync(client), second = await AskAsync(client);

        Assert.NotEmpty(first.Text);
        Assert.Equal(first.Text, second.Text);
        Assert.Contains("telemetry", Assert.Single(logger.Lines));
    }

    [Fact]
    public async Task GetResponseAsync_LogFails_ReplyIsWhole()
    {
        using KimiLinearChatClient client = Create(new BrokenLogger());
        ChatOptions options = new() { MaxOutputTokens = 8, AllowBackgroundResponses = true };

        Assert.NotEmpty((await client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public async Task GetRequiredService_LogFails_ModelIsLoaded()
    {
        ServiceCollection services = new();
        services.AddSingleton<ILogger<KimiLinearChatClient>>(new BrokenLogger());
        services.AddKimiLinearChatClient(TinyModel.Folder);
        await using ServiceProvider provider = services.BuildServiceProvider();

        IChatClient client = provider.GetRequiredService<IChatClient>();

        Assert.NotEmpty((await AskAsync(client)).Text);
    }

    private static Task<ChatResponse> AskAsync(IChatClient client) => client.GetResponseAsync(
        "Hello!", new ChatOptions { Temperature = 0, MaxOutputTokens = 8 }, TestContext.Current.CancellationToken);

    private KimiLinearChatClient Create(ILogger<KimiLinearChatClient> logger) =>
        new(tiny.Model, tiny.Tokenizer, GenerationConfig.Load(TinyModel.Folder), options: null, logger);

    /// <summary>A log whose disk is full.</summary>
    private sealed class BrokenLogger : ILogger<KimiLinearChatClient>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => throw new IOException("The disk is full.");

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new IOException("The disk is full.");
    }
}
