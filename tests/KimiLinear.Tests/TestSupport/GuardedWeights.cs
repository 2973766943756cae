using KimiLinear.Backends;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Random bfloat16 weights, each ending where memory ends.</summary>
internal sealed unsafe class GuardedWeights(ComputeBackend backend, Random random) : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public Tensor Vector(int length) => Bind(WeightRole.Vector, new Shape(length));

    public Tensor Matrix(int rows, int columns) => Bind(WeightRole.Projection, new Shape(rows, columns));

    public Tensor Convolution() => Bind(
        WeightRole.Convolution, new Shape(backend.Config.DeltaDim, 1, backend.Config.ConvolutionWidth));

    /// <summary>Experts of some matrices each.</summary>
    public Tensor Experts(WeightRole role, int partCount, int rows, int columns) =>
        Bind(role, new Shape(rows, columns), partCount);

    public void Dispose() => _owned.ForEach(owned => owned.Dispose());

    private Tensor Bind(WeightRole role, Shape shape, int partCount = 1)
    {
        Tensor tensor = backend.Bind(role, [.. Enumerable.Range(0, partCount).Select(_ => Store(shape))]);
        _owned.Add(tensor);
        return tensor;
    }

    private StoredTensor Store(Shape shape)
    {
        GuardedMemory memory = new(shape.ElementCount * sizeof(ushort));
        for (long i = 0; i < shape.ElementCount; i++)
        {
            float value = (random.NextSingle() * 2) - 1;
            ((ushort*)memory.Data)[i] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        }

        _owned.Add(memory);
        return new StoredTensor("w", DataType.BFloat16, shape, memory.Data, "");
    }
}
