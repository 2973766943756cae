using System.Net;
using KimiLinear.Extensions.AI;

namespace KimiServer.Hosting;

/// <summary>What a server runs and where it listens.</summary>
public sealed record ServerSettings
{
    /// <summary>The model and how many share it.</summary>
    public required KimiLinearChatClientOptions Model { get; init; }

    /// <summary>The names requests may ask for; replies carry the first. Empty for the model's own.</summary>
    public IReadOnlyList<string> ServedModelNames { get; init; } = [];

    /// <summary>The address to listen on; by default nobody else's machine can reach it.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>The keys of which a request must carry one; empty to let everybody in.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>The longest request body.</summary>
    public long MaxRequestBytes { get; init; } = 32 << 20;

    /// <summary>How many replies may run or wait at once.</summary>
    internal int MaxOpenRequests => (int)Math.Min((long)Model.MaxConcurrentRequests + Model.MaxQueuedRequests, int.MaxValue);

    /// <summary>What is said in the log when the server starts.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
