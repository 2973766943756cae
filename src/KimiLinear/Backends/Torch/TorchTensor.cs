using KimiLinear.Tensors;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>A tensor of TorchSharp on the backend's device.</summary>
internal sealed class TorchTensor(object owner, DataType dataType, Shape shape, torch.Tensor value)
    : Tensor(dataType, shape, owner)
{
    public torch.Tensor Value { get; } = value;

    /// <summary>The values of a tensor this kind of backend made.</summary>
    public static torch.Tensor Of(Tensor tensor) => ((TorchTensor)tensor).Value;

    /// <summary>The first rows of a buffer.</summary>
    public static torch.Tensor Rows(Tensor tensor, long count) => Of(tensor).narrow(0, 0, count);

    public override void Dispose() => Value.Dispose();
}
