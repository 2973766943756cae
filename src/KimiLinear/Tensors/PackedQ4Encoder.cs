using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>Packs rows of float32 into tiles of <see cref="DataType.PackedQ4"/>, seeking the smallest squared error.</summary>
/// <remarks>
/// Values must be finite and below <see cref="PackedValues.Limit"/>; a row whose largest magnitude is below
/// <see cref="PackedValues.Negligible"/> is stored as zeros. The tile depends on the values alone, not on the machine.
/// Holds scratch memory: one encoder per thread.
/// </remarks>
internal sealed unsafe class PackedQ4Encoder : IDisposable
{
    private const int Rows = PackedLayout.TileRows;
    private const int Columns = PackedLayout.BlockColumns;
    private const int BlockValues = Rows * Columns;

    // Per block the values, scaled by a power of two, then scale and zero point of every row.
    private const int ScratchPerBlock = BlockValues + (2 * Rows);

    private NativeBuffer? _scratch;

    /// <summary>Packs one tile.</summary>
    /// <param name="rows">The values, row after row. [16, columns]</param>
    /// <param name="columns">The length of a row, a multiple of 32.</param>
    /// <param name="tile">Receives the tile; as many bytes as <see cref="PackedLayout.TileBytes"/> says.</param>
    public void Encode(float* rows, int columns, byte* tile)
    {
        Debug.Assert(columns > 0 && columns % Columns == 0, "A row is made of whole blocks.");
        int blocks = columns / Columns;
        float* scratch = Reserve(blocks);
        Vector512<float> powers = LoadScaled(rows, columns, scratch);

        Vector512<float> largest = Vector512<float>.Zero;
        for (int block = 0; block < blocks; block++)
        {
            float* values = scratch + (block * (long)ScratchPerBlock);
            Q4BlockFit.Search(values, out Vector512<float> scale, out Vector512<float> zero);
            scale.Store(values + BlockValues);
            zero.Store(values + BlockValues + Rows);
            largest = Vector512.MaxNative(largest, scale);
        }

        Vector512<float> rowScale = largest / Vector512.Create((float)byte.MaxValue);
        (rowScale * powers).Store((float*)tile);
        for (int block = 0; block < blocks; block++)
        {
            Store(scratch + (block * (long)ScratchPerBlock), rowScale, block, tile);
        }

        if (blocks % 2 == 1)
        {
            byte* unused = tile + PackedLayout.HeaderOffset(DataType.PackedQ4, blocks) + (PackedLayout.HeaderBytes / 2);
            new Span<byte>(unused, PackedLayout.HeaderBytes / 2).Clear();
        }
    }

    public void Dispose() => _scratch?.Dispose();

    private static void Store(float* values, Vector512<float> rowScale, int block, byte* tile)
    {
        Vector512<float> scale = Vector512.Load(values + BlockValues);
        Vector512<float> zero = Vector512.Load(values + BlockValues + Rows);
        Q4BlockFit.Quantize(values, rowScale, ref scale, ref zero);
        byte* header = tile + PackedLayout.HeaderOffset(DataType.PackedQ4, block) + (block % 2 * (PackedLayout.HeaderBytes / 2));
        for (int row = 0; row < Rows; row++)
        {
            header[row] = (byte)scale[row];
            header[Rows + row] = (byte)(zero[row] * PackedLayout.ZeroSteps);
        }

        Vector512<float> inverse = Q4BlockFit.Invert(rowScale * scale);
        uint* codes = (uint*)(tile + PackedLayout.CodesOffset(DataType.PackedQ4, block));
        for (int chunk = 0; chunk < Columns / 8; chunk++)
        {
            float* first = values + (chunk * 8 * Rows);
            Vector512<uint> bytes = Vector512<uint>.Zero;
            for (int j = 0; j < 4; j++)
            {
                Vector512<uint> lower = Q4BlockFit.Codes(first + (j * Rows), inverse, zero);
                Vector512<uint> upper = Q4BlockFit.Codes(first + ((j + 4) * Rows), inverse, zero);
                bytes |= (lower | (upper << 4)) << (8 * j);
            }

            bytes.Store(codes + (chunk * Rows));
        }
    }

    // Transposes the rows into blocks, each row divided by the power of two that leaves its largest value at 1 to 2.
    private static Vector512<float> LoadScaled(float* rows, int columns, float* scratch)
    {
        float* powers = stackalloc float[Rows];
        for (int r = 0; r < Rows; r++)
        {
            float* row = rows + ((long)r * columns);
            float largest = PackedValues.LargestMagnitude(row, columns);
            Debug.Assert(largest < PackedValues.Limit, "Values are checked before they are packed.");
            int exponent = largest < PackedValues.Negligible ? 0 : MathF.ILogB(largest);
            float factor = largest < PackedValues.Negligible ? 0 : MathF.ScaleB(1, -exponent);
            powers[r] = MathF.ScaleB(1, exponent);
            for (int k = 0; k < columns; k++)
            {
                scratch[(k / Columns * (long)ScratchPerBlock) + (k % Columns * Rows) + r] = row[k] * factor;
            }
        }

        return Vector512.Load(powers);
    }

    private float* Reserve(int blocks)
    {
        long bytes = (long)blocks * ScratchPerBlock * sizeof(float);
        if (_scratch is null || _scratch.ByteCount < bytes)
        {
            _scratch?.Dispose();
            _scratch = new NativeBuffer(bytes);
        }

        return (float*)_scratch.Data;
    }
}
