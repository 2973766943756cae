using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Kernels.Tests;

/// <summary>Arrays as a checkpoint would hold them, for the backends of the host to bind.</summary>
internal sealed unsafe class StoredWeights : IDisposable
{
    private readonly List<GCHandle> _handles = [];

    public StoredTensor Vector(float[] values) => Store(DataType.Float32, values, new Shape(values.Length));

    public StoredTensor Matrix(ushort[] values, int columns) =>
        Store(DataType.BFloat16, values, new Shape(values.Length / columns, columns));

    /// <summary>Taps [W, C] as they are stored: [C, 1, W].</summary>
    public StoredTensor Convolution(float[] taps, int width)
    {
        int channels = taps.Length / width;
        float[] stored = [.. Enumerable.Range(0, taps.Length).Select(i => taps[(i % width * channels) + (i / width)])];
        return Store(DataType.Float32, stored, new Shape(channels, 1, width));
    }

    public void Dispose()
    {
        foreach (GCHandle handle in _handles)
        {
            handle.Free();
        }
    }

    private StoredTensor Store(DataType type, Array values, Shape shape)
    {
        var handle = GCHandle.Alloc(values, GCHandleType.Pinned);
        _handles.Add(handle);
        return new StoredTensor("a test", type, shape, (byte*)handle.AddrOfPinnedObject(), "memory");
    }
}
