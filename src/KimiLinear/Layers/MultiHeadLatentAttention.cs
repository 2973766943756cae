using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>Full attention over one compressed row per token, without positional encoding.</summary>
/// <param name="weights">The layer's weights.</param>
/// <param name="latentLayer">The layer's place among the latent layers.</param>
internal sealed class MultiHeadLatentAttention(LatentAttentionWeights weights, int latentLayer) : IAttention
{
    public LatentAttentionWeights Weights { get; } = weights;

    public void Forward(ForwardContext context, Tensor hidden)
    {
        (ComputeBackend backend, Workspace workspace, ForwardBatch batch) = (context.Backend, context.Workspace, context.Batch);
        backend.NormProject(hidden, Weights.Norm, Weights.Projection, batch.TokenCount, workspace.LatentProjected);
        backend.LatentAttention(Weights, workspace.LatentProjected, batch, context.Cache, latentLayer, workspace.LatentMixed);
        backend.ProjectAdd(workspace.LatentMixed, Weights.Output, batch.TokenCount, hidden);
    }
}
