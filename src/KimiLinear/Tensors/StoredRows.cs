using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>Reads stored rows as float32, of whatever type; exact for all of them.</summary>
internal static unsafe class StoredRows
{
    /// <summary>The number of rows of a tensor: that of a matrix, else 1.</summary>
    public static long CountOf(StoredTensor tensor) => tensor.Shape.Rank == 2 ? tensor.Shape[0] : 1;

    /// <summary>The length of a row of a tensor: that of a matrix's, else all values.</summary>
    public static long LengthOf(StoredTensor tensor) =>
        tensor.Shape.Rank == 2 ? tensor.Shape[1] : tensor.Shape.ElementCount;

    /// <summary>Reads consecutive rows.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="firstRow">The first row to read.</param>
    /// <param name="rowCount">How many rows to read.</param>
    /// <param name="destination">Receives them, row after row.</param>
    /// <exception cref="NotSupportedException">The tensor holds no weights.</exception>
    public static void Read(StoredTensor tensor, long firstRow, int rowCount, float* destination)
    {
        long columns = LengthOf(tensor);
        long first = firstRow * columns;
        long count = rowCount * columns;
        switch (tensor.DataType)
        {
            case DataType.Float32:
                long bytes = count * sizeof(float);
                Buffer.MemoryCopy(tensor.Data + (first * sizeof(float)), destination, bytes, bytes);
                break;
            case DataType.BFloat16:
                ReadBFloat16((ushort*)tensor.Data + first, count, destination);
                break;
            case DataType.Float16:
                ReadFloat16((ushort*)tensor.Data + first, count, destination);
                break;
            case DataType.PackedQ4 or DataType.PackedQ8:
                PackedRows.Read(tensor.DataType, tensor.Data, (int)columns, firstRow, rowCount, destination);
                break;
            case DataType.Float8E4M3 when tensor.Scales is not null:
                Float8Rows.Read(tensor, firstRow, rowCount, destination);
                break;
            case DataType type when GgufBlocks.Holds(type):
                GgufBlocks.Decode(type, tensor.Data + (first / type.BlockLength() * type.BlockBytes()), count, destination);
                break;
            default:
                throw new NotSupportedException(
                    $"{tensor.Name} is stored as {tensor.DataType}, which cannot be read as weights.");
        }
    }

    private static void ReadBFloat16(ushort* source, long count, float* destination)
    {
        long i = 0;
        for (; i + Vector256<ushort>.Count <= count; i += Vector256<ushort>.Count)
        {
            (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(Vector256.Load(source + i));
            (lower << 16).AsSingle().Store(destination + i);
            (upper << 16).AsSingle().Store(destination + i + Vector256<float>.Count);
        }

        for (; i < count; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    private static void ReadFloat16(ushort* source, long count, float* destination)
    {
        for (long i = 0; i < count; i++)
        {
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }
    }
}
