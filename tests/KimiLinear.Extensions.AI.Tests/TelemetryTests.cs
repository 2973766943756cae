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

    [Theory]
    [InlineData("log")]
    [InlineData("enabled")]
    public async Task GetResponseAsync_LogFails_ReplyIsWhole(string when)
    {
        BrokenLogger logger = new(when);
        using KimiLinearChatClient client = Create(logger);
        ChatOptions options = new() { MaxOutputTokens = 8, AllowBackgroundResponses = true };

        Assert.NotEmpty((await client.GetResponseAsync("Hello!", options, TestContext.Current.CancellationToken)).Text);
        Assert.InRange(logger.FaultCount, 1, int.MaxValue);
    }

    [Fact]
    public void QuietLogger_AnythingFails_IsSilentAndOffUntilItWorksAgain()
    {
        ILogger scope = QuietLogger.Around(new BrokenLogger("scope"))!, enabled = QuietLogger.Around(new BrokenLogger("enabled"))!;

        Assert.Null(scope.BeginScope("a scope"));
        Assert.True(scope.IsEnabled(LogLevel.Error));
        Assert.False(enabled.IsEnabled(LogLevel.Error));
        QuietLogger.Around(new BrokenLogger("log"))!.Log(LogLevel.Error, default, "A message.", null, (text, _) => text);
        Assert.Same(scope, QuietLogger.Around(scope));
        Assert.Null(QuietLogger.Around(null));
    }

    [Theory]
    [InlineData("log")]
    [InlineData("enabled")]
    public async Task GetRequiredService_LogFails_ModelIsLoaded(string when)
    {
        BrokenLogger logger = new(when);
        ServiceCollection services = new();
        services.AddSingleton<ILogger<KimiLinearChatClient>>(logger);
        services.AddKimiLinearChatClient(TinyModel.Folder);
        await using ServiceProvider provider = services.BuildServiceProvider();

        IChatClient client = provider.GetRequiredService<IChatClient>();

        Assert.NotEmpty((await AskAsync(client)).Text);
        Assert.InRange(logger.FaultCount, 1, int.MaxValue);
    }

    private static Task<ChatResponse> AskAsync(IChatClient client) => client.GetResponseAsync(
        "Hello!", new ChatOptions { Temperature = 0, MaxOutputTokens = 8 }, TestContext.Current.CancellationToken);

    private KimiLinearChatClient Create(ILogger<KimiLinearChatClient> logger) =>
        new(tiny.Model, tiny.Tokenizer, GenerationConfig.Load(TinyModel.Folder), options: null, logger);

    /// <summary>A log that fails at one of its methods: its disk is full.</summary>
    private sealed class BrokenLogger(string when) : ILogger<KimiLinearChatClient>
    {
        private int _faultCount;

        public int FaultCount => _faultCount;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            FailAt("scope");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel)
        {
            FailAt("enabled");
            return true;
        }

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            FailAt("log");

        private void FailAt(string point)
        {
            if (point == when)
            {
                Interlocked.Increment(ref _faultCount);
                throw new IOException("The disk is full.");
            }
        }
    }
}
