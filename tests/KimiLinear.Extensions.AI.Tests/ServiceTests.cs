using KimiLinear.Model;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>What the client is made from, and what it gives out beside replies.</summary>
public sealed class ServiceTests(TinyModel tiny)
{
    [Fact]
    public void GetService_Metadata_NamesProviderAndModel()
    {
        ChatClientMetadata metadata = tiny.Client.GetService<ChatClientMetadata>()!;

        Assert.Equal("kimilinear", metadata.ProviderName);
        Assert.Null(metadata.ProviderUri);
        Assert.Equal("kimi-linear-tiny", metadata.DefaultModelId);
    }

    [Fact]
    public void GetService_Parts_AreThoseInUse()
    {
        Assert.Same(tiny.Client, tiny.Client.GetService<IChatClient>());
        Assert.Same(tiny.Client, tiny.Client.GetService<KimiLinearChatClient>());
        Assert.Same(tiny.Model, tiny.Client.GetService<KimiLinearModel>());
        Assert.Same(tiny.Tokenizer, tiny.Client.GetService<KimiTokenizer>());
        Assert.NotNull(tiny.Client.GetService<GenerationEngine>());
    }

    [Fact]
    public void GetService_ThroughMiddleware_FindsTheClient()
    {
        using IChatClient wrapped = tiny.CreateClient().AsBuilder().UseFunctionInvocation().Build();

        Assert.NotNull(wrapped.GetService<KimiLinearChatClient>());
        Assert.Same(tiny.Model, wrapped.GetService<KimiLinearModel>());
    }

    [Fact]
    public void GetService_KeyOrUnknownType_GivesNothing()
    {
        Assert.Null(tiny.Client.GetService<KimiLinearModel>("key"));
        Assert.Null(tiny.Client.GetService<IChatClient>("key"));
        Assert.Null(tiny.Client.GetService<System.Diagnostics.ActivitySource>());
        Assert.Null(tiny.Client.GetService<string>());
    }

    [Fact]
    public void GetService_NullType_Throws() =>
        Assert.Throws<ArgumentNullException>("serviceType", () => tiny.Client.GetService(null!));

    [Fact]
    public void Constructor_Nulls_AreRefused()
    {
        Assert.Throws<ArgumentNullException>("model", () => new KimiLinearChatClient(null!, tiny.Tokenizer));
        Assert.Throws<ArgumentNullException>("tokenizer", () => new KimiLinearChatClient(tiny.Model, null!));
    }

    [Fact]
    public void Constructor_LimitBelowOne_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(
            () => tiny.CreateClient(new KimiLinearChatClientOptions { MaxConcurrentRequests = 0 }));
        ArgumentOutOfRangeException exception = Assert.Throws<ArgumentOutOfRangeException>(
            () => tiny.CreateClient(new KimiLinearChatClientOptions { DefaultMaxOutputTokens = 0 }));
        Assert.Contains(nameof(KimiLinearChatClientOptions.DefaultMaxOutputTokens), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BadOptions_SaysWhatIsWrong()
    {
        Assert.Throws<ArgumentNullException>("options", () => KimiLinearChatClient.Load((KimiLinearChatClientOptions)null!));
        Assert.Contains(
            nameof(KimiLinearChatClientOptions.ModelPath),
            Assert.Throws<ArgumentException>(() => KimiLinearChatClient.Load("")).Message, StringComparison.Ordinal);
        Assert.Contains("no/such/folder", Assert.Throws<ArgumentException>(
            () => KimiLinearChatClient.Load("no/such/folder")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Cancelled_Throws() => Assert.ThrowsAny<OperationCanceledException>(
        () => KimiLinearChatClient.Load(new KimiLinearChatClientOptions { ModelPath = TinyModel.Folder },
            new CancellationToken(canceled: true)));

    [Fact]
    public void Load_Progress_IsReported()
    {
        List<ModelLoadProgress> reports = [];
        KimiLinearChatClientOptions options = new()
        {
            ModelPath = TinyModel.Folder,
            Preload = WeightPreload.Always,
            ThreadCount = 1,
            LoadProgress = new Collector(reports),
        };

        using KimiLinearChatClient client = KimiLinearChatClient.Load(options);

        Assert.NotEmpty(reports);
    }

    private sealed class Collector(List<ModelLoadProgress> reports) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value)
        {
            lock (reports)
            {
                reports.Add(value);
            }
        }
    }

    [Fact]
    public void Load_PrefixFolderThatCannotBe_IsFoundBeforeTheModelIsLoaded()
    {
        List<ModelLoadProgress> reports = [];
        KimiLinearChatClientOptions options = new()
        {
            ModelPath = TinyModel.Folder,
            PrefixFolder = Path.Combine(TinyModel.Folder, "config.json", "below"),
            LoadProgress = new Reporter(reports),
        };

        IOException error = Assert.Throws<IOException>(() => KimiLinearChatClient.Load(options));

        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
        Assert.Empty(reports);
    }

    private sealed class Reporter(List<ModelLoadProgress> reports) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value) => reports.Add(value);
    }
}
