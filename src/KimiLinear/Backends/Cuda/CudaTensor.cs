using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Values in the memory of a GPU.</summary>
internal class CudaTensor(object owner, DataType dataType, Shape shape, CudaRegion region, Action? release = null)
    : Tensor(dataType, shape, owner)
{
    private Action? _release = release;

    public CudaRegion Region { get; } = region;

    /// <summary>Where the values of a tensor that a CUDA backend made begin.</summary>
    public static nint AddressOf(Tensor tensor) => ((CudaTensor)tensor).Region.Address;

    public override void Dispose()
    {
        Action? release = _release;
        _release = null;
        release?.Invoke();
    }
}
