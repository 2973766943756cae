using KimiLinear.Backends;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A backend that computes like another and fails to copy or save sequences when it is told to.</summary>
internal sealed class FaultyBackend(ComputeBackend inner) : ComputeBackend(inner.Config)
{
    /// <summary>Makes the error of the next copies of a sequence inside the memory; null from it lets a copy succeed.</summary>
    public Func<Exception?>? CopyFault { get; set; }

    /// <summary>Makes the error of the next copies of a sequence out of the memory.</summary>
    public Func<Exception?>? SaveFault { get; set; }

    /// <summary>Copies and savings that failed.</summary>
    public int FaultCount { get; private set; }

    /// <summary>What restoring a sequence throws, or null.</summary>
    public Func<Exception?>? RestoreFault { get; set; }

    /// <summary>Makes the error of the next steps, thrown when all of the step's work is done.</summary>
    public Func<Exception?>? RunFault { get; set; }

    /// <summary>Makes the error of the next clearings of a slot.</summary>
    public Func<Exception?>? ClearFault { get; set; }

    /// <summary>Makes the error of the next pages that are restored, after the slot was.</summary>
    public Func<Exception?>? RestorePageFault { get; set; }

    /// <summary>Loads a model on such a backend.</summary>
    public static KimiLinearModel LoadModel(string directory, out FaultyBackend backend)
    {
        FaultyBackend? made = null;
        KimiLinearModel model = ModelLoader.Load(
            directory,
            new ModelLoadOptions { LatentCache = LatentPrecision.Float32 },
            (config, _) => made = new FaultyBackend(Backend.Create(Backend.Default, config, threadCount: 2)),
            null,
            default);
        backend = made!;
        return model;
    }

    public override string Description => inner.Description;

    public override Tensor Bind(WeightRole role, params ReadOnlySpan<StoredTensor> parts) => inner.Bind(role, parts);

    public override Tensor Allocate(long rows, long columns) => inner.Allocate(rows, columns);

    public override CacheStorage CreateCache(CacheLayout layout) => inner.CreateCache(layout);

    public override void Run(ForwardBatch batch, CacheStorage cache, bool isObserved, Action operators)
    {
        inner.Run(batch, cache, isObserved, operators);
        ThrowIfAny(RunFault);
    }

    public override void Embed(Tensor embedding, ForwardBatch batch, Tensor hidden) => inner.Embed(embedding, batch, hidden);

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected) =>
        inner.NormProject(hidden, norm, weight, tokenCount, projected);

    public override void KimiDelta(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int deltaLayer, Tensor output) =>
        inner.KimiDelta(weights, projected, batch, cache, deltaLayer, output);

    public override void LatentAttention(
        LatentAttentionWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int latentLayer, Tensor output) =>
        inner.LatentAttention(weights, projected, batch, cache, latentLayer, output);

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden) =>
        inner.ProjectAdd(input, weight, tokenCount, hidden);

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden) =>
        inner.DenseMlpAdd(weights, tokenCount, hidden);

    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden) =>
        inner.SparseMoeAdd(weights, tokenCount, layerIndex, observer, hidden);

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits) =>
        inner.Logits(hidden, norm, head, batch, logits);

    public override void Download(Tensor source, Span<float> destination) => inner.Download(source, destination);

    public override void Upload(ReadOnlySpan<float> source, Tensor destination) => inner.Upload(source, destination);

    public override void ClearSlot(CacheStorage cache, int slot)
    {
        ThrowIfAny(ClearFault);
        inner.ClearSlot(cache, slot);
    }

    public override void CopySlot(CacheStorage cache, int fromSlot, int toSlot)
    {
        ThrowIfAny(CopyFault);
        inner.CopySlot(cache, fromSlot, toSlot);
    }

    public override void CopyPage(CacheStorage cache, int fromPage, int toPage) => inner.CopyPage(cache, fromPage, toPage);

    public override void SaveSlot(CacheStorage cache, int slot, Span<float> destination)
    {
        ThrowIfAny(SaveFault);
        inner.SaveSlot(cache, slot, destination);
    }

    public override void RestoreSlot(CacheStorage cache, int slot, ReadOnlySpan<float> source)
    {
        ThrowIfAny(RestoreFault);
        inner.RestoreSlot(cache, slot, source);
    }

    public override void SavePage(CacheStorage cache, int page, Span<byte> destination) => inner.SavePage(cache, page, destination);

    public override void RestorePage(CacheStorage cache, int page, ReadOnlySpan<byte> source)
    {
        ThrowIfAny(RestorePageFault);
        inner.RestorePage(cache, page, source);
    }

    public override void Dispose() => inner.Dispose();

    private void ThrowIfAny(Func<Exception?>? fault)
    {
        if (fault?.Invoke() is { } error)
        {
            FaultCount++;
            throw error;
        }
    }
}
