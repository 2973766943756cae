using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>The sparse feed-forward part: a few routed experts per token, and the shared expert.</summary>
internal sealed class SparseMoe(SparseMoeWeights weights, int layerIndex) : IFeedForward
{
    public void Forward(ForwardContext context, Tensor hidden) =>
        context.Backend.SparseMoeAdd(weights, context.Batch.TokenCount, layerIndex, context.Observer, hidden);
}
