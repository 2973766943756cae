using KimiLinear.Backends;

namespace KimiLinear.Layers;

/// <summary>What a layer needs besides its weights and the residual stream.</summary>
internal sealed class ForwardContext(ComputeBackend backend, CacheStorage cache, Workspace workspace)
{
    public ComputeBackend Backend { get; } = backend;

    public CacheStorage Cache { get; } = cache;

    public Workspace Workspace { get; } = workspace;

    public ForwardBatch Batch { get; } = new();

    public IRoutingObserver? Observer { get; set; }
}
