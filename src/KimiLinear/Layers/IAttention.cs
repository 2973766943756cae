using KimiLinear.Tensors;

namespace KimiLinear.Layers;

/// <summary>The half of a decoder layer in which tokens see each other.</summary>
internal interface IAttention
{
    /// <summary>Adds the attention's output to the residual stream.</summary>
    void Forward(ForwardContext context, Tensor hidden); // [T, D]
}
