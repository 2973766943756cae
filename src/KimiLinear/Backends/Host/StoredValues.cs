using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Reads single stored values as float32.</summary>
internal static unsafe class StoredValues
{
    public static float Read(byte* data, DataType dataType, long index) => dataType switch
    {
        // Stored values have no alignment, hence the unaligned reads.
        DataType.Float32 => BitConverter.Int32BitsToSingle(*(int*)(data + (index * 4))),
        DataType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)*(ushort*)(data + (index * 2)) << 16),
        DataType.Float16 => (float)BitConverter.UInt16BitsToHalf(*(ushort*)(data + (index * 2))),
        DataType.Float64 => (float)*(double*)(data + (index * 8)),
        _ => throw new NotSupportedException($"Weights of type {dataType} cannot be read as numbers."),
    };

    /// <summary>Copies a stored tensor, or its first values, into float32 memory.</summary>
    public static void CopyTo(StoredTensor source, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = Read(source.Data, source.DataType, i);
        }
    }
}
