using System.Diagnostics;
using System.Globalization;
using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>Turns rows of stored weights into another type: packed, 8-bit floats, or bfloat16.</summary>
/// <remarks>Holds scratch memory that grows to the size of a call: one converter per thread.</remarks>
internal sealed unsafe class RowConverter : IDisposable
{
    private readonly PackedQ4Encoder _q4Encoder = new();
    private NativeBuffer? _rows;

    /// <summary>Bytes that some rows take in a type, scales included; whole tiles when it is packed.</summary>
    public static long ByteCount(DataType type, long rowCount, long columns) =>
        ValueByteCount(type, rowCount, columns) + ScaleByteCount(type, rowCount, columns);

    /// <summary>Bytes of them before the scales, which follow behind all rows where they are apart from the values.</summary>
    public static long ValueByteCount(DataType type, long rowCount, long columns) => PackedLayout.IsPacked(type)
        ? PackedLayout.ByteCount(type, new Shape(rowCount, columns))
        : rowCount * columns * type.SizeInBytes();

    /// <summary>Rows that are converted together, unless they are the last.</summary>
    public static int RowGranule(DataType type) =>
        type == DataType.Float8E4M3 ? Float8Scales.BlockLength : PackedLayout.TileRows;

    /// <summary>Converts consecutive rows.</summary>
    /// <param name="source">The tensor they belong to.</param>
    /// <param name="type">What they become: a packed type, 8-bit floats, or <see cref="DataType.BFloat16"/>.</param>
    /// <param name="firstRow">The first row; a multiple of <see cref="RowGranule"/>.</param>
    /// <param name="rowCount">How many rows; whole tiles when packing.</param>
    /// <param name="destination">Receives <see cref="ByteCount"/> bytes.</param>
    /// <exception cref="CheckpointFormatException">A value is not finite, or too large to be a weight.</exception>
    public void Convert(StoredTensor source, DataType type, long firstRow, int rowCount, byte* destination)
    {
        int columns = checked((int)StoredRows.LengthOf(source));
        float* rows = Reserve((long)rowCount * columns);
        StoredRows.Read(source, firstRow, rowCount, rows);
        RequireUsable(source, firstRow, rows, (long)rowCount * columns, columns);
        if (type == DataType.BFloat16)
        {
            WriteBFloat16(rows, (long)rowCount * columns, (ushort*)destination);
            return;
        }

        if (type == DataType.Float8E4M3)
        {
            Debug.Assert(firstRow % Float8Scales.BlockLength == 0, "Blocks are whole.");
            byte* scales = destination + ValueByteCount(type, rowCount, columns);
            Float8Encoder.Encode(rows, rowCount, columns, destination, (float*)scales);
            return;
        }

        Debug.Assert(firstRow % PackedLayout.TileRows == 0 && rowCount % PackedLayout.TileRows == 0, "Tiles are whole.");
        long tileBytes = PackedLayout.TileBytes(type, columns);
        for (int row = 0; row < rowCount; row += PackedLayout.TileRows, destination += tileBytes)
        {
            float* tile = rows + ((long)row * columns);
            if (type == DataType.PackedQ4)
            {
                _q4Encoder.Encode(tile, columns, destination);
            }
            else
            {
                PackedQ8Encoder.Encode(tile, columns, destination);
            }
        }
    }

    public void Dispose()
    {
        _rows?.Dispose();
        _q4Encoder.Dispose();
    }

    private static long ScaleByteCount(DataType type, long rowCount, long columns) => type == DataType.Float8E4M3
        ? Float8Scales.BlockShape(new Shape(rowCount, columns)).ElementCount * sizeof(float)
        : 0;

    private static void RequireUsable(StoredTensor source, long firstRow, float* rows, long count, int columns)
    {
        long index = PackedValues.FindUnusable(rows, count);
        if (index >= 0)
        {
            string value = rows[index].ToString("R", CultureInfo.InvariantCulture);
            throw new CheckpointFormatException(
                $"{source.Name} has the value {value} in row {firstRow + (index / columns)}, column {index % columns}, but "
                + $"weights must be finite and below 2^100 in magnitude to be converted. ('{source.FilePath}')",
                source.FilePath);
        }
    }

    // To the nearest, half to even. The values are finite and far from the largest, so nothing overflows.
    private static void WriteBFloat16(float* source, long count, ushort* destination)
    {
        for (long i = 0; i < count; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(source[i]);
            destination[i] = (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    private float* Reserve(long count)
    {
        if (_rows is null || _rows.ByteCount < count * sizeof(float))
        {
            _rows?.Dispose();
            _rows = new NativeBuffer(count * sizeof(float));
        }

        return (float*)_rows.Data;
    }
}
