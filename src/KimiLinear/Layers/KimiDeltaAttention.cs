using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>Linear attention by the gated delta rule, with a decay per key channel (arXiv:2510.26692).</summary>
/// <param name="weights">The layer's weights.</param>
/// <param name="deltaLayer">The layer's place among the Kimi Delta layers.</param>
internal sealed class KimiDeltaAttention(KimiDeltaWeights weights, int deltaLayer) : IAttention
{
    public KimiDeltaWeights Weights { get; } = weights;

    public void Forward(ForwardContext context, Tensor hidden)
    {
        (ComputeBackend backend, Workspace workspace, ForwardBatch batch) = (context.Backend, context.Workspace, context.Batch);
        backend.NormProject(hidden, Weights.Norm, Weights.Projection, batch.TokenCount, workspace.DeltaProjected);
        backend.KimiDelta(Weights, workspace.DeltaProjected, batch, context.Cache, deltaLayer, workspace.DeltaMixed);
        backend.ProjectAdd(workspace.DeltaMixed, Weights.Output, batch.TokenCount, hidden);
    }
}
