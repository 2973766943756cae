using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Scheduling;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The client in an application's host: loading at the start, health, and the end.</summary>
public sealed class HostingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task StartAsync_Background_LoadsWithoutBeingAsked()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.Background);
        ModelHost model = host.Services.GetRequiredKeyedService<ModelHost>(string.Empty);

        await host.StartAsync(TestContext.Current.CancellationToken);
        KimiLinearChatClient loaded = await model.LoadAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);

        Assert.Same(loaded, host.Services.GetRequiredService<IChatClient>().GetService<KimiLinearChatClient>());
    }

    [Fact]
    public async Task StartAsync_BeforeStart_HasLoadedWhenItReturns()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.BeforeStart);

        await host.StartAsync(TestContext.Current.CancellationToken);

        Assert.NotNull(host.Services.GetRequiredKeyedService<ModelHost>(string.Empty).LoadedClient);
    }

    [Fact]
    public async Task StartAsync_BeforeStartAndDamagedModel_DoesNotStart()
    {
        using TemporaryModelFolder folder = new();
        folder.SetConfig("hidden_size", -1);
        using IHost host = Build(options => (options.WarmUp, options.ModelPath) = (ModelWarmUp.BeforeStart, folder.Path));

        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.True(error is IOException or ModelFormatException, error.ToString());
    }

    [Fact]
    public async Task StartAsync_OnFirstUse_LoadsNothing()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.OnFirstUse);

        await host.StartAsync(TestContext.Current.CancellationToken);

        Assert.Null(host.Services.GetRequiredKeyedService<ModelHost>(string.Empty).LoadedClient);

        // Else nobody would send the first request.
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);
    }

    [Fact]
    public async Task CheckHealthAsync_LoadedModel_IsReady()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.BeforeStart);
        await host.StartAsync(TestContext.Current.CancellationToken);

        HealthReportEntry entry = await CheckAsync(host);

        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal("ready", entry.Description);
        Assert.Equal(0, entry.Data["waiting"]);
    }

    [Fact]
    public async Task CheckHealthAsync_HostHasStopped_IsNotReady()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.BeforeStart);
        await host.StartAsync(TestContext.Current.CancellationToken);
        IChatClient client = host.Services.GetRequiredService<IChatClient>();
        await host.StopAsync(TestContext.Current.CancellationToken);

        HealthReportEntry entry = await CheckAsync(host);

        await Assert.ThrowsAsync<ObjectDisposedException>(
            () => client.GetResponseAsync("Hello!", cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Equal("stopping: no more requests are taken", entry.Description);
    }

    [Fact]
    public async Task CheckHealthAsync_ModelOfAnotherKey_SaysWhatToCall()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddKeyedKimiLinearChatClient("kimi", options => options.ModelPath = TinyModel.Folder);
        builder.Services.AddLogging().AddHealthChecks().AddKimiLinear("kimi");
        using IHost host = builder.Build();

        InvalidOperationException exception = await Assert.ThrowsAsync<InvalidOperationException>(() => CheckAsync(host));

        Assert.Contains("AddKeyedKimiLinearChatClient as 'serviceKey'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CheckHealthAsync_LoadingFailed_SaysWhy()
    {
        using TemporaryModelFolder folder = new();
        folder.SetConfig("hidden_size", -1);
        using IHost host = Build(options => options.ModelPath = folder.Path);
        await host.StartAsync(TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<Exception>(
            () => host.Services.GetRequiredKeyedService<ModelHost>(string.Empty).LoadAsync().WaitAsync(Patience));

        HealthReportEntry entry = await CheckAsync(host);

        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.StartsWith("failed: ", entry.Description, StringComparison.Ordinal);
        Assert.NotNull(entry.Exception);
    }

    [Fact]
    public async Task CheckHealthAsync_MoreThanHalfOfTheQueueWaits_IsDegraded()
    {
        using IHost host = Build(options =>
        {
            options.WarmUp = ModelWarmUp.BeforeStart;
            options.MaxConcurrentRequests = 1;
            options.MaxQueuedRequests = 2;
        });
        await host.StartAsync(TestContext.Current.CancellationToken);
        IChatClient client = host.Services.GetRequiredService<IChatClient>();
        using CancellationTokenSource enough = new();
        Task[] readers = [.. Enumerable.Range(0, 3).Select(_ => ReadEndlesslyAsync(client, enough.Token))];
        GenerationEngine engine = client.GetService<GenerationEngine>()!;
        while (engine.GetStatistics() is not { RunningCount: 1, WaitingCount: 2 })
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        HealthReportEntry entry = await CheckAsync(host);

        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Equal("overloaded: 2 requests wait", entry.Description);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(readers));
    }

    [Fact]
    public async Task StopAsync_RequestInProgress_EndsIt()
    {
        using IHost host = Build(options => options.WarmUp = ModelWarmUp.BeforeStart);
        await host.StartAsync(TestContext.Current.CancellationToken);
        IChatClient client = host.Services.GetRequiredService<IChatClient>();
        GenerationEngine engine = client.GetService<GenerationEngine>()!;
        Task<ChatResponse> reply = client.GetResponseAsync(
            "Tell me a story.", new ChatOptions { MaxOutputTokens = 200, RawRepresentationFactory = Endless });
        while (engine.GetStatistics().RunningCount == 0)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await host.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(200, (await reply.WaitAsync(Patience)).Usage!.OutputTokenCount);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Hello!"));
    }

    [Fact]
    public async Task StartAsync_TwoModels_LoadsBoth()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddKimiLinearChatClient(TinyModel.Folder);
        builder.Services.AddKeyedKimiLinearChatClient("other", options => options.ModelPath = TinyModel.Folder);
        builder.Services.AddHealthChecks().AddKimiLinear().AddKimiLinear("other", serviceKey: "other");
        using IHost host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);

        foreach (string key in (string[])["", "other"])
        {
            await host.Services.GetRequiredKeyedService<ModelHost>(key).LoadAsync().WaitAsync(Patience);
        }

        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.Equal(["kimilinear", "other"], report.Entries.Keys.Order());
        Assert.Equal(HealthStatus.Healthy, report.Status);
    }

    private static IHost Build(Action<KimiLinearChatClientOptions> configure)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddKimiLinearChatClient(options =>
        {
            options.ModelPath = TinyModel.Folder;
            configure(options);
        });
        builder.Services.AddHealthChecks().AddKimiLinear();
        return builder.Build();
    }

    private static async Task<HealthReportEntry> CheckAsync(IHost host) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["kimilinear"];

    private static GenerationOptions Endless(IChatClient client) => new() { StopTokenIds = [] };

    private static async Task ReadEndlesslyAsync(IChatClient client, CancellationToken cancellationToken)
    {
        ChatOptions options = new() { RawRepresentationFactory = Endless };
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("Hello!", options, cancellationToken))
        {
        }
    }
}
