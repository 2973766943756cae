using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>A float32 tensor in memory of its own: activations and small weights.</summary>
internal sealed unsafe class HostBuffer : Tensor
{
    private readonly NativeBuffer _memory;

    public HostBuffer(object owner, Shape shape)
        : base(DataType.Float32, shape, owner)
    {
        _memory = new NativeBuffer(shape.ElementCount * sizeof(float));
    }

    public float* Data => (float*)_memory.Data;

    /// <summary>Length of the last axis.</summary>
    public int ColumnCount => (int)Shape[Shape.Rank - 1];

    public Span<float> Span => new(Data, checked((int)Shape.ElementCount));

    public override void Dispose() => _memory.Dispose();
}
