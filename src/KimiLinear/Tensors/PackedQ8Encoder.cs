using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KimiLinear.Tensors;

/// <summary>Packs rows of float32 into tiles of <see cref="DataType.PackedQ8"/>, seeking the smallest squared error.</summary>
/// <remarks>
/// Values must be finite and below <see cref="PackedValues.Limit"/>; a block of a row whose largest magnitude is below
/// <see cref="PackedValues.Negligible"/> is stored as zeros. Codes lie from −127 to 127. The tile depends on the values alone,
/// not on the machine.
/// </remarks>
internal static unsafe class PackedQ8Encoder
{
    private const int Rows = PackedLayout.TileRows;
    private const int Columns = PackedLayout.BlockColumns;
    private const float MaxCode = 127;

    // Added to a number below 2^22 it leaves the number rounded to the nearest integer, half to even, in the low bits.
    private const float RoundingBias = 12582912;

    // How many bfloat16 scales are tried, upwards from the one just below largest / 127. Smaller ones cut the largest value off.
    private const int ScaleCount = 16;

    /// <summary>Packs one tile.</summary>
    /// <param name="rows">The values, row after row. [16, columns]</param>
    /// <param name="columns">The length of a row, a multiple of 32.</param>
    /// <param name="tile">Receives the tile; as many bytes as <see cref="PackedLayout.TileBytes"/> says.</param>
    public static void Encode(float* rows, int columns, byte* tile)
    {
        Debug.Assert(columns > 0 && columns % Columns == 0, "A row is made of whole blocks.");
        int blocks = columns / Columns;
        float* values = stackalloc float[Rows * Columns];
        for (int block = 0; block < blocks; block++)
        {
            for (int row = 0; row < Rows; row++)
            {
                float* source = rows + ((long)row * columns) + (block * Columns);
                for (int k = 0; k < Columns; k++)
                {
                    values[(k * Rows) + row] = source[k];
                }
            }

            EncodeBlock(values, block, tile);
        }

        if (blocks % 2 == 1)
        {
            byte* unused = tile + PackedLayout.HeaderOffset(DataType.PackedQ8, blocks) + (PackedLayout.HeaderBytes / 2);
            new Span<byte>(unused, PackedLayout.HeaderBytes / 2).Clear();
        }
    }

    private static void EncodeBlock(float* values, int block, byte* tile)
    {
        Vector512<float> power = Normalize(values, out Vector512<float> largest);
        Vector512<float> scale = Search(values, largest);
        Vector512<uint> bits = (scale * power).AsUInt32() >> 16;
        ushort* header = (ushort*)(tile + PackedLayout.HeaderOffset(DataType.PackedQ8, block)) + (block % 2 * Rows);
        for (int row = 0; row < Rows; row++)
        {
            header[row] = (ushort)bits[row];
        }

        Vector512<float> inverse = Invert(scale);
        uint* codes = (uint*)(tile + PackedLayout.CodesOffset(DataType.PackedQ8, block));
        for (int chunk = 0; chunk < Columns / 4; chunk++)
        {
            Vector512<uint> bytes = Vector512<uint>.Zero;
            for (int j = 0; j < 4; j++)
            {
                Vector512<float> code = BiasedCode(Vector512.Load(values + (((chunk * 4) + j) * Rows)), inverse);
                bytes |= (code.AsUInt32() & Vector512.Create(0xFFu)) << (8 * j);
            }

            bytes.Store(codes + (chunk * Rows));
        }
    }

    // Divides each row of the block by the power of two that leaves its largest magnitude at 1 to 2.
    private static Vector512<float> Normalize(float* values, out Vector512<float> largest)
    {
        Vector512<float> max = Vector512<float>.Zero;
        for (int k = 0; k < Columns; k++)
        {
            max = Vector512.MaxNative(max, Vector512.Abs(Vector512.Load(values + (k * Rows))));
        }

        Debug.Assert(Vector512.LessThanAll(max, Vector512.Create(PackedValues.Limit)), "Values are checked before.");
        Vector512<float> counts = Vector512.GreaterThanOrEqual(max, Vector512.Create(PackedValues.Negligible));
        Vector512<float> power = Vector512.ConditionalSelect(
            counts, max & Vector512.Create(float.PositiveInfinity), Vector512<float>.One);
        Vector512<float> factor = (Vector512<float>.One / power) & counts;
        for (int k = 0; k < Columns; k++)
        {
            (Vector512.Load(values + (k * Rows)) * factor).Store(values + (k * Rows));
        }

        largest = max * factor;
        return power;
    }

    // The scale, a bfloat16, of the smallest error; 0 for a row of zeros.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector512<float> Search(float* values, Vector512<float> largest)
    {
        Vector512<uint> below = (largest / Vector512.Create(MaxCode)).AsUInt32() >> 16;
        Vector512<float> bestScale = Vector512<float>.Zero;
        Vector512<float> bestError = Vector512.Create(float.PositiveInfinity);
        for (uint i = 0; i < ScaleCount; i++)
        {
            Vector512<float> scale = ((below + Vector512.Create(i)) << 16).AsSingle();
            Vector512<float> inverse = Invert(scale);
            Vector512<float> error = Vector512<float>.Zero;
            for (int k = 0; k < Columns; k++)
            {
                Vector512<float> x = Vector512.Load(values + (k * Rows));
                Vector512<float> code = BiasedCode(x, inverse) - Vector512.Create(RoundingBias);
                Vector512<float> rest = x - (scale * code);
                error = error + (rest * rest);
            }

            Vector512<float> better = Vector512.LessThan(error, bestError);
            bestError = Vector512.ConditionalSelect(better, error, bestError);
            bestScale = Vector512.ConditionalSelect(better, scale, bestScale);
        }

        return bestScale & Vector512.GreaterThan(largest, Vector512<float>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Invert(Vector512<float> scale) =>
        (Vector512<float>.One / scale) & Vector512.GreaterThan(scale, Vector512<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> BiasedCode(Vector512<float> x, Vector512<float> inverse)
    {
        Vector512<float> rounded = (x * inverse) + Vector512.Create(RoundingBias);
        return Vector512.MinNative(
            Vector512.MaxNative(rounded, Vector512.Create(RoundingBias - MaxCode)), Vector512.Create(RoundingBias + MaxCode));
    }
}
