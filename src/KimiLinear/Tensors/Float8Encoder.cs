using System.Diagnostics;

namespace KimiLinear.Tensors;

/// <summary>
/// Rounds rows to 8-bit floats: every block of 128 × 128 values has the scale that makes its largest the largest number.
/// </summary>
internal static unsafe class Float8Encoder
{
    private const int BlockLength = Float8Scales.BlockLength;

    /// <summary>Encodes rows; the first begins a block.</summary>
    /// <param name="rows">Values below <see cref="PackedValues.Limit"/>. [rowCount, columns]</param>
    /// <param name="rowCount">How many rows.</param>
    /// <param name="columns">The length of a row.</param>
    /// <param name="codes">Receives the codes. [rowCount, columns]</param>
    /// <param name="scales">Receives the scales, without alignment. [rowCount / 128, columns / 128], each rounded up</param>
    public static void Encode(float* rows, int rowCount, int columns, byte* codes, float* scales)
    {
        for (int firstRow = 0; firstRow < rowCount; firstRow += BlockLength)
        {
            int rowEnd = Math.Min(rowCount, firstRow + BlockLength);
            for (int first = 0; first < columns; first += BlockLength)
            {
                int count = Math.Min(BlockLength, columns - first);
                float largest = 0;
                for (int row = firstRow; row < rowEnd; row++)
                {
                    largest = MathF.Max(largest, PackedValues.LargestMagnitude(rows + ((long)row * columns) + first, count));
                }

                float scale = largest < PackedValues.Negligible ? 1 : largest / Float8.Largest;
                Debug.Assert(float.IsFinite(scale), "Values that are too large were refused before.");
                *scales++ = scale;
                for (int row = firstRow; row < rowEnd; row++)
                {
                    long offset = ((long)row * columns) + first;
                    for (int c = 0; c < count; c++)
                    {
                        codes[offset + c] = Float8.FromSingle(rows[offset + c] / scale);
                    }
                }
            }
        }
    }
}
