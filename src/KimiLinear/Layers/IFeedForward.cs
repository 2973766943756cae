using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>The half of a decoder layer that treats each token by itself.</summary>
internal interface IFeedForward
{
    /// <summary>Adds the feed-forward output to the residual stream.</summary>
    void Forward(ForwardContext context, Tensor hidden); // [T, D]
}
