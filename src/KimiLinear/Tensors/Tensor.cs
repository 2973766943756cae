namespace KimiLinear.Tensors;

/// <summary>A handle on values that a backend owns; only that backend can look inside.</summary>
internal abstract class Tensor(DataType dataType, Shape shape, object owner) : IDisposable
{
    public DataType DataType { get; } = dataType;

    public Shape Shape { get; } = shape;

    /// <summary>The backend that made the tensor.</summary>
    public object Owner { get; } = owner;

    public abstract void Dispose();
}
