using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>
/// Reads rows of matrices of 8-bit floats as float32: the number that a code stands for times its scale, rounded once.
/// </summary>
internal static unsafe class Float8Rows
{
    /// <summary>Reads consecutive rows.</summary>
    /// <param name="matrix">The matrix, with its scales.</param>
    /// <param name="firstRow">The first row to read.</param>
    /// <param name="rowCount">How many rows to read.</param>
    /// <param name="destination">Receives them, row after row. [rowCount, columns]</param>
    public static void Read(StoredTensor matrix, long firstRow, int rowCount, float* destination)
    {
        Float8Scales scales = new(matrix);
        long columns = matrix.Shape[1];
        for (long row = firstRow; row < firstRow + rowCount; row++, destination += columns)
        {
            byte* codes = matrix.Data + (row * columns);
            for (long first = 0; first < columns; first += Float8Scales.BlockLength)
            {
                int count = (int)Math.Min(Float8Scales.BlockLength, columns - first);
                ReadBlock(codes + first, scales.Read(row, first / Float8Scales.BlockLength), count, destination + first);
            }
        }
    }

    private static void ReadBlock(byte* codes, float scale, int count, float* destination)
    {
        int i = 0;
        for (; i + Vector128<byte>.Count <= count; i += Vector128<byte>.Count)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(codes + i));
            (Vector256<uint> first, Vector256<uint> second) = (Widen(low), Widen(high));
            (Decode(first) * scale).Store(destination + i);
            (Decode(second) * scale).Store(destination + i + Vector256<uint>.Count);
        }

        for (; i < count; i++)
        {
            destination[i] = Float8.ToSingle(codes[i]) * scale;
        }
    }

    private static Vector256<uint> Widen(Vector128<ushort> values)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(values);
        return Vector256.Create(low, high);
    }

    // As Float8.ToSingle has it.
    private static Vector256<float> Decode(Vector256<uint> codes)
    {
        var magnitudeBits = Vector256.Create((uint)Float8.MagnitudeBits);
        Vector256<uint> magnitude = codes & magnitudeBits;
        Vector256<float> value = (magnitude << 20).AsSingle() * Float8.ExponentRebias;
        Vector256<uint> signed = value.AsUInt32() | ((codes & ~magnitudeBits) << 24);
        var isNoNumber = Vector256.Equals(magnitude, magnitudeBits);
        return Vector256.ConditionalSelect(isNoNumber, Vector256.Create(float.NaN).AsUInt32(), signed).AsSingle();
    }
}
