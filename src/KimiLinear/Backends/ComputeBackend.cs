using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>The operators the network is made of, cut where a fast implementation wants to fuse.</summary>
/// <remarks>
/// Synchronous and used by one thread at a time. The letters of the shapes are those of docs/glossary.md; T is
/// <see cref="ForwardBatch.TokenCount"/>, and a buffer may have more rows than T. Destination last.
/// </remarks>
internal abstract class ComputeBackend(KimiLinearConfig config) : IDisposable
{
    /// <summary>Added under the root of the L2 norm of queries and keys.</summary>
    public const float L2NormEpsilon = 1e-6f;

    /// <summary>Keeps the renormalisation of router weights from dividing by zero.</summary>
    public const float RouterWeightEpsilon = 1e-20f;

    public KimiLinearConfig Config { get; } = config;

    /// <summary>A name for people: the device and how it computes.</summary>
    public abstract string Description { get; }

    /// <summary>Bytes of memory of the device; null where that is the computer's own.</summary>
    public virtual long? MemoryBytes => null;

    /// <summary>Whether it serves an <see cref="IExpertObserver"/>.</summary>
    public virtual bool MeasuresExperts => true;

    /// <summary>Told before anything is bound what will be, so that a backend can take the memory at once, or refuse it.</summary>
    public virtual void ExpectWeights(IEnumerable<StoredTensor> tensors)
    {
    }

    /// <summary>Takes weights into the backend's memory; the stored tensors must outlive the result.</summary>
    public abstract Tensor Bind(WeightRole role, params ReadOnlySpan<StoredTensor> parts);

    /// <summary>Makes a float32 buffer for activations; its values are undefined.</summary>
    public abstract Tensor Allocate(long rows, long columns);

    public abstract CacheStorage CreateCache(CacheLayout layout);

    /// <summary>Runs one step: the operators, which are the same ones in the same order for batches of equal shape.</summary>
    /// <remarks>A backend may record what they do and repeat it later without calling them, unless the step is observed.</remarks>
    public virtual void Run(ForwardBatch batch, CacheStorage cache, bool isObserved, Action operators) => operators();

    /// <summary>Looks the tokens' rows up.</summary>
    public abstract void Embed(Tensor embedding, ForwardBatch batch, Tensor hidden); // [N, D] → [T, D]

    /// <summary>RMS norm, then a projection.</summary>
    public abstract void NormProject(
        Tensor hidden, // [T, D]
        Tensor norm,   // [D]
        Tensor weight, // [X, D]
        int tokenCount,
        Tensor projected); // [T, X]

    /// <summary>Convolution, SiLU, L2 norm, decay and beta, the gated delta rule over each state, gated RMS norm.</summary>
    public abstract void KimiDelta(
        KimiDeltaWeights weights,
        Tensor projected, // [T, 3·H·K + G_f + G_g + H]
        ForwardBatch batch,
        CacheStorage cache,
        int deltaLayer, // counts the Kimi Delta layers only
        Tensor output); // [T, H·V]

    /// <summary>Latent norm, cache append, causal attention over the latent pages.</summary>
    public abstract void LatentAttention(
        LatentAttentionWeights weights,
        Tensor projected, // [T, H·(Nope + P) + R + P]
        ForwardBatch batch,
        CacheStorage cache,
        int latentLayer, // counts the latent layers only
        Tensor output);  // [T, H·V]

    /// <summary>Adds a projection to the residual stream.</summary>
    public abstract void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden); // [T, X], [D, X] → [T, D]

    /// <summary>Norm, gate and up, SiLU, down, added to the residual stream.</summary>
    public abstract void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden); // [T, D]

    /// <summary>Norm, router, top-k, routed and shared experts, weighted sum, added to the residual stream.</summary>
    public abstract void SparseMoeAdd(
        SparseMoeWeights weights,
        int tokenCount,
        int layerIndex, // for the observer
        IRoutingObserver? observer,
        Tensor hidden); // [T, D]

    /// <summary>Final norm and head for the rows that want logits.</summary>
    public abstract void Logits(
        Tensor hidden, // [T, D]
        Tensor norm,   // [D]
        Tensor head,   // [N, D]
        ForwardBatch batch,
        Tensor logits); // [rows, N]

    /// <summary>Copies the first values of a buffer to the caller.</summary>
    public abstract void Download(Tensor source, Span<float> destination);

    /// <summary>Overwrites the first values of a buffer.</summary>
    public abstract void Upload(ReadOnlySpan<float> source, Tensor destination);

    /// <summary>The bytes per second that a large copy inside a device reads and writes; null where there is no such device.</summary>
    public virtual double? MeasureBandwidth() => null;

    /// <summary>Makes a slot the memory of an empty sequence.</summary>
    public abstract void ClearSlot(CacheStorage cache, int slot);

    public abstract void CopySlot(CacheStorage cache, int fromSlot, int toSlot);

    public abstract void CopyPage(CacheStorage cache, int fromPage, int toPage);

    /// <summary>Copies a slot out of the backend's memory, in the order of <see cref="CacheLayout"/>.</summary>
    public abstract void SaveSlot(CacheStorage cache, int slot, Span<float> destination);

    public abstract void RestoreSlot(CacheStorage cache, int slot, ReadOnlySpan<float> source);

    public abstract void SavePage(CacheStorage cache, int page, Span<byte> destination);

    public abstract void RestorePage(CacheStorage cache, int page, ReadOnlySpan<byte> source);

    public abstract void Dispose();
}
