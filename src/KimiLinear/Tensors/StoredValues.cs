namespace KimiLinear.Tensors;

/// <summary>Reads stored values as float32, in plain loops.</summary>
internal static unsafe class StoredValues
{
    /// <summary>Reads one value of a type that stores each by itself.</summary>
    public static float Read(byte* data, DataType dataType, long index) => dataType switch
    {
        // Stored values have no alignment, hence the unaligned reads.
        DataType.Float32 => BitConverter.Int32BitsToSingle(*(int*)(data + (index * 4))),
        DataType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)*(ushort*)(data + (index * 2)) << 16),
        DataType.Float16 => (float)BitConverter.UInt16BitsToHalf(*(ushort*)(data + (index * 2))),
        DataType.Float64 => (float)*(double*)(data + (index * 8)),
        _ => throw new NotSupportedException($"Weights of type {dataType} cannot be read as numbers."),
    };

    /// <summary>Reads consecutive values; of a block format, whole blocks.</summary>
    public static void Read(byte* data, DataType dataType, long count, float* destination)
    {
        if (GgufBlocks.Holds(dataType))
        {
            GgufBlocks.Decode(dataType, data, count, destination);
            return;
        }

        for (long i = 0; i < count; i++)
        {
            destination[i] = Read(data, dataType, i);
        }
    }

    /// <summary>Copies a stored tensor, or its first values, into float32 memory.</summary>
    public static void CopyTo(StoredTensor source, Span<float> destination)
    {
        fixed (float* target = destination)
        {
            Read(source.Data, source.DataType, destination.Length, target);
        }
    }
}
