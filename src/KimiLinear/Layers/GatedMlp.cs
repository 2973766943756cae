using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>The dense feed-forward part: down (SiLU(gate x) ⊙ up x).</summary>
internal sealed class GatedMlp(DenseMlpWeights weights) : IFeedForward
{
    public void Forward(ForwardContext context, Tensor hidden) =>
        context.Backend.DenseMlpAdd(weights, context.Batch.TokenCount, hidden);
}
