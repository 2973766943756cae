using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Layers;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>One layer of a model and nothing else of it, with what sequences remember in it.</summary>
/// <remarks>
/// For models that are larger than the memory: whoever runs it keeps what goes into the next layer. It computes exactly what the
/// layer computes within the model, given the same steps. Not safe for concurrent use.
/// </remarks>
internal sealed class LoneLayer : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly int _layerIndex;
    private readonly ComputeBackend _backend;
    private readonly DecoderLayer _layer;
    private readonly Tensor? _embedding;
    private readonly IReadOnlyList<Tensor> _weights;
    private readonly Workspace _workspace;
    private readonly SequenceStatePool _pool;
    private readonly ForwardContext _context;

    /// <param name="checkpoint">The whole model; it must outlive the layer.</param>
    /// <param name="backend">What computes; the layer disposes it, also when it cannot be made.</param>
    /// <param name="layerIndex">Which layer.</param>
    /// <param name="latentCache">The precision of latent rows.</param>
    public LoneLayer(Checkpoint checkpoint, ComputeBackend backend, int layerIndex, LatentPrecision latentCache)
    {
        _checkpoint = checkpoint;
        _backend = backend;
        _layerIndex = layerIndex;
        try
        {
            (_layer, _embedding, _weights) =
                new WeightBinder(checkpoint, backend, progress: null, CancellationToken.None).BindAlone(layerIndex);
            _workspace = Workspace.For(backend, [_layer]);
            KimiLinearConfig alone = backend.Config with
            {
                LayerKinds = [backend.Config.LayerKinds[layerIndex]],
                SparseLayers = [backend.Config.SparseLayers[layerIndex]],
            };
            _pool = new SequenceStatePool(backend, new CacheLayout(alone, latentCache));
            _context = new ForwardContext(backend, _pool.Storage, _workspace);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    public SequenceState CreateSequence() => new(_pool);

    /// <summary>Runs a step through the layer.</summary>
    /// <param name="entries">The sequences, whose tokens matter to the first layer only.</param>
    /// <param name="observer">Watches it, or <see langword="null"/>.</param>
    /// <param name="hidden">What goes in, if it is not the first layer; receives what comes out. [T, D]</param>
    public void Forward(ReadOnlySpan<BatchEntry> entries, IRoutingObserver? observer, Span<float> hidden)
    {
        ForwardBatch batch = _context.Batch;
        try
        {
            _context.Observer = observer;
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.Join(batch, entry.TokenIds.Span, LogitsRequest.None, entry.IsPrompt);
            }

            _workspace.Reserve(batch.TokenCount, logitsRowCount: 1);
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.BeginStep();
            }

            if (_embedding is null)
            {
                _backend.Upload(hidden, _workspace.Hidden);
            }

            _backend.Run(batch, _pool.Storage, isObserved: true, Compute);
            _backend.Download(_workspace.Hidden, hidden);
            foreach (BatchEntry entry in entries)
            {
                entry.Sequence.EndStep(entry.TokenIds.Length);
            }
        }
        finally
        {
            batch.Clear();
        }
    }

    /// <summary>Frees the memory, and gives up the pages of the file that the weights lie in.</summary>
    public unsafe void Dispose()
    {
        _workspace.Dispose();
        _pool.Dispose();
        foreach (Tensor weight in _weights)
        {
            weight.Dispose();
        }

        _backend.Dispose();
        string prefix = WeightNames.InLayer(_layerIndex, "");
        foreach (StoredTensor tensor in _checkpoint.Tensors)
        {
            if (tensor.IsMapped && (_embedding is not null || tensor.Name.StartsWith(prefix, StringComparison.Ordinal)))
            {
                MappedPages.Release(tensor.Data, tensor.ByteCount);
            }
        }
    }

    private void Compute()
    {
        if (_embedding is not null)
        {
            _backend.Embed(_embedding, _context.Batch, _workspace.Hidden);
        }

        _layer.Forward(_context, _workspace.Hidden);
    }
}
