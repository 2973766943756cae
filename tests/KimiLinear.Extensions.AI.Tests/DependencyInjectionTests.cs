using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

public sealed class DependencyInjectionTests
{
    public static TheoryData<string> Ways() => ["path", "action", "section"];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task AddKimiLinearChatClient_AnyWay_GivesAWorkingSingleton(string way)
    {
        ServiceCollection services = new();
        _ = way switch
        {
            "path" => services.AddKimiLinearChatClient(TinyModel.Folder),
            "action" => services.AddKimiLinearChatClient(options => options.ModelPath = TinyModel.Folder),
            _ => services.AddKimiLinearChatClient(Section(("ModelPath", TinyModel.Folder))),
        };
        await using ServiceProvider provider = services.BuildServiceProvider(validateScopes: true);

        IChatClient client = provider.GetRequiredService<IChatClient>();
        ChatResponse response = await client.GetResponseAsync("Hello!", TinyModel.Greedy());

        Assert.Equal("Hello! How can I help you today?", response.Text);
        await using AsyncServiceScope scope = provider.CreateAsyncScope();
        Assert.Same(client, scope.ServiceProvider.GetRequiredService<IChatClient>());
    }

    [Fact]
    public async Task AddKimiLinearChatClient_WithMiddleware_RunsTools()
    {
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(TinyModel.Folder).UseFunctionInvocation();
        await using ServiceProvider provider = services.BuildServiceProvider();

        ChatResponse response = await provider.GetRequiredService<IChatClient>()
            .GetResponseAsync("What is the weather in Paris?", TinyModel.Greedy(Tools.GetWeather()));

        Assert.Equal("The weather in Paris is sunny with 18 degrees.", response.Text);
    }

    [Fact]
    public async Task AddKimiLinearChatClient_GgufFile_RunsTheModelInIt()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("kimi-gguf-").FullName, "tiny.gguf");
        try
        {
            ServiceCollection services = new();
            services.AddKimiLinearChatClient(TinyGguf.Write(path)).UseFunctionInvocation();
            await using ServiceProvider provider = services.BuildServiceProvider();
            IChatClient client = provider.GetRequiredService<IChatClient>();

            ChatResponse response = await client.GetResponseAsync(
                "What is the weather in Paris?", TinyModel.Greedy(Tools.GetWeather()));

            Assert.Equal("tiny", client.GetService<ChatClientMetadata>()!.DefaultModelId);
            Assert.Equal("The weather in Paris is sunny with 18 degrees.", response.Text);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Fact]
    public void AddKimiLinearChatClient_Section_BindsEveryOption()
    {
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(Section(
            ("ModelPath", TinyModel.Folder), ("ModelId", "mine"), ("ThreadCount", "2"), ("Preload", "Never"),
            ("MaxConcurrentRequests", "3"), ("DefaultMaxOutputTokens", "5"), ("Device", "cpu"), ("Activations", "Int8"),
            ("Hub:CacheFolder", "cache"), ("Hub:Endpoint", "https://hub.example/"), ("Hub:Token", "secret"), ("Hub:Offline", "true")));
        using ServiceProvider provider = services.BuildServiceProvider();

        KimiLinearChatClientOptions options = provider.GetRequiredService<IOptions<KimiLinearChatClientOptions>>().Value;

        Assert.Equal("mine", options.ModelId);
        Assert.Equal(2, options.ThreadCount);
        Assert.Equal(WeightPreload.Never, options.Preload);
        Assert.Equal(3, options.MaxConcurrentRequests);
        Assert.Equal(5, options.DefaultMaxOutputTokens);
        Assert.Equal("cpu", options.Device);
        Assert.Equal(ActivationPrecision.Int8, options.Activations);
        Assert.Equal("cache", options.Hub.CacheFolder);
        Assert.Equal(new Uri("https://hub.example/"), options.Hub.Endpoint);
        Assert.Equal("secret", options.Hub.Token);
        Assert.True(options.Hub.Offline);
        Assert.Equal("mine", provider.GetRequiredService<IChatClient>().GetService<ChatClientMetadata>()!.DefaultModelId);
    }

    [Theory]
    [InlineData("cpu", "it was asked for")]
    [InlineData("auto", "GPU")]
    public void AddKimiLinearChatClient_Logging_SaysWhatComputesAndWhy(string device, string reason)
    {
        RecordingLogger logger = new();
        ServiceCollection services = new();
        services.AddSingleton<ILogger<KimiLinearChatClient>>(logger);
        services.AddKimiLinearChatClient(Section(("ModelPath", TinyModel.Folder), ("Device", device)));
        using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetRequiredService<IChatClient>();

        string line = Assert.Single(logger.Lines);
        KimiLinearModel model = provider.GetRequiredService<IChatClient>().GetService<KimiLinearModel>()!;
        Assert.Equal($"Loaded kimi-linear-tiny on {model.DeviceDescription}: {model.DeviceReason}", line);
        Assert.Contains(reason, model.DeviceReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddKeyedKimiLinearChatClient_TwoKeys_AreTwoClients()
    {
        ServiceCollection services = new();
        services.AddKeyedKimiLinearChatClient("one", options =>
        {
            options.ModelPath = TinyModel.Folder;
            options.ModelId = "first";
        });
        services.AddKeyedKimiLinearChatClient("two", Section(("ModelPath", TinyModel.Folder), ("ModelId", "second")));
        await using ServiceProvider provider = services.BuildServiceProvider();

        IChatClient one = provider.GetRequiredKeyedService<IChatClient>("one");
        IChatClient two = provider.GetRequiredKeyedService<IChatClient>("two");

        Assert.Equal("first", (await one.GetResponseAsync("Hello!", TinyModel.Greedy())).ModelId);
        Assert.Equal("second", (await two.GetResponseAsync("Hello!", TinyModel.Greedy())).ModelId);
        Assert.NotSame(one.GetService<KimiLinearModel>(), two.GetService<KimiLinearModel>());
        Assert.Null(provider.GetService<IChatClient>());
    }

    public static TheoryData<string, string, string[]> Faults() => new()
    {
        { "ModelPath", "", ["ModelPath", "not set"] },
        { "ModelPath", "/no/such/folder", ["ModelPath", "/no/such/folder", "does not exist"] },
        { "ModelPath", Path.Combine(TinyModel.Folder, "config.json"), ["ModelPath", "is another file"] },
        { "ThreadCount", "0", ["ThreadCount", "between 1 and 1024", "0"] },
        { "ThreadCount", "1025", ["ThreadCount", "between 1 and 1024", "1025"] },
        { "Preload", "7", ["Preload", "7"] },
        { "Device", "gpu", ["Device", "auto, cpu, cuda:N, torch:cpu or torch:cuda:N", "'gpu'"] },
        { "MaxConcurrentRequests", "0", ["MaxConcurrentRequests", "at least 1", "0"] },
        { "DefaultMaxOutputTokens", "-1", ["DefaultMaxOutputTokens", "at least 1", "-1"] },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Options_Faulty_FailAtStartAndAtResolution(string name, string value, string[] parts)
    {
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(Section(("ModelPath", TinyModel.Folder), (name, value)));
        using ServiceProvider provider = services.BuildServiceProvider();

        OptionsValidationException atStart =
            Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IStartupValidator>().Validate);
        OptionsValidationException atResolution =
            Assert.Throws<OptionsValidationException>(() => { provider.GetRequiredService<IChatClient>(); });

        Assert.All(parts.Prepend("KimiLinear"), part => Assert.Contains(part, atStart.Message, StringComparison.Ordinal));
        Assert.Equal(atStart.Message, atResolution.Message);
    }

    [Fact]
    public void Options_SeveralFaults_AreAllReported()
    {
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(options => options.MaxConcurrentRequests = -1);
        using ServiceProvider provider = services.BuildServiceProvider();

        OptionsValidationException exception =
            Assert.Throws<OptionsValidationException>(() => { provider.GetRequiredService<IChatClient>(); });

        Assert.Equal(2, exception.Failures.Count());
    }

    [Fact]
    public void Options_FaultyUnderAKey_NameTheKeyAtStart()
    {
        ServiceCollection services = new();
        services.AddKeyedKimiLinearChatClient("one", options => options.ModelPath = TinyModel.Folder);
        services.AddKeyedKimiLinearChatClient("two", options => options.ModelPath = "");
        using ServiceProvider provider = services.BuildServiceProvider();

        OptionsValidationException exception =
            Assert.Throws<OptionsValidationException>(provider.GetRequiredService<IStartupValidator>().Validate);

        Assert.Contains("'two'", exception.Message, StringComparison.Ordinal);
        Assert.Single(exception.Failures);
    }

    [Fact]
    public void Options_Valid_PassAtStartWithoutLoadingTheModel()
    {
        using TemporaryModelFolder folder = new();
        File.Delete(Path.Combine(folder.Path, "config.json"));
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(folder.Path);
        using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetRequiredService<IStartupValidator>().Validate();

        Assert.ThrowsAny<IOException>(() => { provider.GetRequiredService<IChatClient>(); });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Container_Disposed_DisposesTheModel(bool asynchronously)
    {
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(TinyModel.Folder).UseFunctionInvocation();
        ServiceProvider provider = services.BuildServiceProvider();
        IChatClient client = provider.GetRequiredService<IChatClient>();
        KimiLinearModel model = client.GetService<KimiLinearModel>()!;

        if (asynchronously)
        {
            await provider.DisposeAsync();
        }
        else
        {
            provider.Dispose();
        }

        Assert.Throws<ObjectDisposedException>(() => { model.CreateSequence(); });
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.GetResponseAsync("Hello!"));
    }

    [Fact]
    public void AddKimiLinearChatClient_BadArguments_AreRefused()
    {
        ServiceCollection services = new();

        Assert.ThrowsAny<ArgumentException>(() => services.AddKimiLinearChatClient(" "));
        Assert.Throws<ArgumentNullException>(
            "configure", () => services.AddKimiLinearChatClient((Action<KimiLinearChatClientOptions>)null!));
        Assert.Throws<ArgumentNullException>("section", () => services.AddKimiLinearChatClient((IConfiguration)null!));
        Assert.Throws<ArgumentNullException>("services", () => ((IServiceCollection)null!).AddKimiLinearChatClient("folder"));
        Assert.ThrowsAny<ArgumentException>(
            () => services.AddKeyedKimiLinearChatClient("", options => options.ModelPath = "folder"));
    }

    // Later values replace earlier ones of the same name.
    private static IConfigurationSection Section(params (string Name, string Value)[] values)
    {
        ConfigurationManager configuration = new();
        foreach ((string name, string value) in values)
        {
            configuration[$"{KimiLinearChatClientOptions.DefaultSectionName}:{name}"] = value;
        }

        return configuration.GetSection(KimiLinearChatClientOptions.DefaultSectionName);
    }
}
