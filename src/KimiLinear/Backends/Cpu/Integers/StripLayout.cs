using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>A strip: sixteen rows of a GGUF matrix by up to eight blocks of 32 columns, widened to what is multiplied.</summary>
/// <remarks>
/// Codes are 16-bit numbers, [blocks, 4, 4, 4, 8]: row 4q + g has its 32 columns at [g, c, q] with c from 0 to 3, of every 16
/// columns the even ones first (<see cref="QuantizedForm.EvenOddShorts"/>). So a vector of any width holds eight columns of as
/// many rows as fit, and the sums of four neighbouring rows are in four vectors. value = scale · code − offset.
/// </remarks>
internal static class StripLayout
{
    public const int RowCount = PackedLayout.TileRows;

    public const int MaxBlocks = 8;

    /// <summary>Rows are in four groups: every fourth row.</summary>
    public const int GroupCount = 4;

    public const int GroupBytes = 256;

    /// <summary>Eight columns of every fourth row.</summary>
    public const int ChunkBytes = 64;

    public const int ChunkCount = 4;

    /// <summary>One row's part of a chunk.</summary>
    public const int SegmentBytes = 16;

    public const int BlockBytes = GroupCount * GroupBytes;

    /// <summary>Where the scales begin, float32 [8, 16]; the offsets follow.</summary>
    public const int ScalesOffset = MaxBlocks * BlockBytes;

    public const int OffsetsOffset = ScalesOffset + (MaxBlocks * RowCount * sizeof(float));

    public const int ByteCount = OffsetsOffset + (MaxBlocks * RowCount * sizeof(float));

    /// <summary>Whether a type has 4-bit codes, which can be multiplied as bytes.</summary>
    public static bool HasNibbles(DataType type) => type is DataType.GgufQ40 or DataType.GgufQ41 or DataType.GgufQ4K;

    /// <summary>Whether a matrix is large enough: sixteen rows of two blocks. Others are multiplied in float32.</summary>
    public static bool Fits(int rowCount, int columnCount) =>
        rowCount >= RowCount && columnCount >= 2 * QuantizedRows.BlockColumns;

    /// <summary>Where a row begins in a block.</summary>
    public static int RowOffset(int row) => (row % GroupCount * GroupBytes) + (row / GroupCount * SegmentBytes);
}
