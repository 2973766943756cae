using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Clients of models that are given by name, from a hub on this machine.</summary>
public sealed class HubTests : IDisposable
{
    private readonly FakeHub _hub = new();
    private readonly string _cache = Directory.CreateTempSubdirectory("kimi-hub-").FullName;

    public HubTests()
    {
        foreach (string file in Directory.EnumerateFiles(TinyModel.Folder))
        {
            _hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        }
    }

    private ModelHubOptions Options => new() { CacheFolder = _cache, Endpoint = new Uri(_hub.Endpoint), Token = "" };

    public void Dispose()
    {
        _hub.Dispose();
        Directory.Delete(_cache, recursive: true);
    }

    [Fact]
    public async Task AddKimiLinearChatClient_Name_DownloadsWhileLoadingAndNotBefore()
    {
        Collector progress = new();
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(options =>
        {
            options.ModelPath = FakeHub.Repository;
            options.Hub = Options;
            options.DownloadProgress = progress;
        });
        await using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetRequiredService<IStartupValidator>().Validate();
        Assert.Empty(_hub.Requests);
        IChatClient client = provider.GetRequiredService<IChatClient>();
        ChatResponse response = await client.GetResponseAsync("Hello!", TinyModel.Greedy());

        Assert.Equal("Hello! How can I help you today?", response.Text);
        Assert.Equal(FakeHub.Repository, response.ModelId);
        Assert.Equal(1, progress.Last.Fraction);
    }

    [Fact]
    public async Task Load_NameInTheCache_AsksNobody()
    {
        await new ModelHub(Options).PullAsync(FakeHub.Repository);
        int before = _hub.Requests.Count;

        using KimiLinearChatClient client = KimiLinearChatClient.Load(new KimiLinearChatClientOptions
        {
            ModelPath = FakeHub.Repository,
            Hub = Options,
            AllowDownload = false,
        });

        Assert.Equal(before, _hub.Requests.Count);
    }

    [Theory]
    [InlineData("AllowDownload", "false")]
    [InlineData("Hub:Offline", "true")]
    public void Options_NameThatMayNotBeFetched_FailAtStart(string option, string value)
    {
        ServiceCollection services = new();
        ConfigurationManager configuration = new();
        configuration["KimiLinear:ModelPath"] = FakeHub.Repository;
        configuration["KimiLinear:Hub:CacheFolder"] = _cache;
        configuration["KimiLinear:Hub:Endpoint"] = _hub.Endpoint;
        configuration[$"KimiLinear:{option}"] = value;
        services.AddKimiLinearChatClient(configuration.GetSection("KimiLinear"));
        using ServiceProvider provider = services.BuildServiceProvider();

        OptionsValidationException exception =
            Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IStartupValidator>().Validate);

        Assert.Contains($"not in the cache '{_cache}'", exception.Message, StringComparison.Ordinal);
        Assert.Empty(_hub.Requests);
    }

    [Fact]
    public void Options_AddressThatIsNone_FailsAtStart()
    {
        ServiceCollection services = new();
        ConfigurationManager configuration = new();
        configuration["KimiLinear:ModelPath"] = FakeHub.Repository;
        configuration["KimiLinear:Hub:Endpoint"] = "hub.example";
        services.AddKimiLinearChatClient(configuration.GetSection("KimiLinear"));
        using ServiceProvider provider = services.BuildServiceProvider();

        OptionsValidationException exception =
            Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IStartupValidator>().Validate);

        Assert.Contains("is 'hub.example'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ModelThatDoesNotExist_SaysBoth()
    {
        _hub.Intercept = _ => new FakeReply(404, []);

        ModelHubException exception = Assert.Throws<ModelHubException>(() => KimiLinearChatClient.Load(
            new KimiLinearChatClientOptions { ModelPath = "models/mistyped", Hub = Options }));

        Assert.Contains("no model 'models/mistyped'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("No folder or file here", exception.Message, StringComparison.Ordinal);
    }

    private sealed class Collector : IProgress<ModelDownloadProgress>
    {
        public ModelDownloadProgress Last { get; private set; }

        public void Report(ModelDownloadProgress value) => Last = value;
    }
}
