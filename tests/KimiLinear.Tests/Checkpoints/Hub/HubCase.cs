using System.Collections.Concurrent;
using KimiLinear.Checkpoints;
using KimiLinear.Tests.TestSupport;

namespace KimiLinear.Tests.Checkpoints;

/// <summary>A hub with a small model, and a cache of its own.</summary>
internal sealed class HubCase : IDisposable
{
    public const string Name = FakeHub.Repository;
    public const string Weights = "model.safetensors";

    public HubCase()
    {
        Hub = new FakeHub
        {
            Files =
            {
                ["README.md"] = [1, 2, 3],
                ["config.json"] = "{}\n"u8.ToArray(),
                ["generation_config.json"] = [],
                ["tiktoken.model"] = "words"u8.ToArray(),
                [Weights] = Bytes(200_000, seed: 42),
            },
        };
    }

    public FakeHub Hub { get; }

    public TemporaryFolder Folder { get; } = new();

    public string Cache => Folder.Path;

    /// <summary>The model's own folder.</summary>
    public string Repository => Path.Combine(Cache, "models--org--tiny");

    public string Snapshot => Path.Combine(Repository, "snapshots", Hub.Commit);

    public string Blob => Path.Combine(Repository, "blobs", FakeHub.HashOf(Weights, Hub.Files[Weights]));

    public string Partial => $"{Blob}.incomplete";

    /// <summary>How long was waited between requests.</summary>
    public ConcurrentQueue<TimeSpan> Waits { get; } = [];

    /// <summary>Options that reach this hub and no other, and never wait.</summary>
    public ModelHubOptions Options => new()
    {
        CacheFolder = Cache,
        Endpoint = new Uri(Hub.Endpoint),
        Variable = _ => null,
        Token = "",
        ReportInterval = TimeSpan.Zero,
        Delay = (wait, cancellationToken) =>
        {
            Waits.Enqueue(wait);
            cancellationToken.ThrowIfCancellationRequested();
            return Task.CompletedTask;
        },
    };

    public static byte[] Bytes(int count, int seed)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public Task<string> PullAsync(ModelHubOptions? options = null, string name = Name, bool verify = false) =>
        new ModelHub(options ?? Options).PullAsync(name, verify);

    /// <summary>Leaves what an interrupted download would have left.</summary>
    public void LeavePartial(ReadOnlySpan<byte> bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Partial)!);
        File.WriteAllBytes(Partial, bytes);
    }

    public void RequireWeights() => Xunit.Assert.Equal(Hub.Files[Weights], File.ReadAllBytes(Path.Combine(Snapshot, Weights)));

    public void Dispose()
    {
        Hub.Dispose();
        Folder.Dispose();
    }
}

/// <summary>Keeps what a download reports.</summary>
internal sealed class DownloadReports : IProgress<ModelDownloadProgress>
{
    private readonly ConcurrentQueue<ModelDownloadProgress> _all = [];

    public Action<ModelDownloadProgress>? OnReport { get; init; }

    public IReadOnlyList<ModelDownloadProgress> All => [.. _all];

    public void Report(ModelDownloadProgress value)
    {
        _all.Enqueue(value);
        OnReport?.Invoke(value);
    }
}
