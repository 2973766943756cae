using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>One layer of the network; both halves add to the residual stream.</summary>
internal sealed class DecoderLayer(IAttention attention, IFeedForward feedForward)
{
    public IAttention Attention { get; } = attention;

    public void Forward(ForwardContext context, Tensor hidden)
    {
        Attention.Forward(context, hidden);
        feedForward.Forward(context, hidden);
    }
}
