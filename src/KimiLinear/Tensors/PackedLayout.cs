using System.Diagnostics;

namespace KimiLinear.Tensors;

/// <summary>How the packed formats lie in memory: tiles of 16 rows, interleaved so that one vector holds all rows of a tile.</summary>
/// <remarks>
/// <para>A tile holds its blocks of 32 columns in pairs: 64 bytes of header, then the codes of the first and of the second block;
/// an odd last block has a whole header and no second codes. Every part is a multiple of 64 bytes.</para>
/// <para><see cref="DataType.PackedQ4"/>: value = rowScale · scale · (code − zero / 16), where zero is even. A tile begins with
/// 16 float32 row scales. The header is 16 scales (bytes) and 16 zero points (bytes) of the first block, then of the second.
/// The codes of a block are four chunks of 64 bytes: byte 4·row + j of chunk c has the code of column 8·c + j in its lower half
/// and that of column 8·c + 4 + j in its upper half.</para>
/// <para><see cref="DataType.PackedQ8"/>: value = scale · code. The header is 16 bfloat16 scales of the first block, then of
/// the second. The codes of a block are eight chunks of 64 bytes: byte 4·row + j of chunk c is the signed code of column
/// 4·c + j.</para>
/// </remarks>
internal static unsafe class PackedLayout
{
    /// <summary>Rows that lie interleaved.</summary>
    public const int TileRows = 16;

    /// <summary>Columns that share a scale.</summary>
    public const int BlockColumns = 32;

    /// <summary>What the address of a packed matrix is a multiple of.</summary>
    public const int AlignmentBytes = 64;

    /// <summary>Bytes before the codes of a pair of blocks.</summary>
    public const int HeaderBytes = 64;

    /// <summary>Bytes of a chunk of codes: four of every row.</summary>
    public const int ChunkBytes = 4 * TileRows;

    /// <summary>Bytes of one block's codes in <see cref="DataType.PackedQ4"/>.</summary>
    public const int Q4BlockBytes = TileRows * BlockColumns / 2;

    /// <summary>Bytes of one block's codes in <see cref="DataType.PackedQ8"/>.</summary>
    public const int Q8BlockBytes = TileRows * BlockColumns;

    /// <summary>Bytes of the row scales a tile of <see cref="DataType.PackedQ4"/> begins with.</summary>
    public const int RowScaleBytes = TileRows * sizeof(float);

    /// <summary>Steps of a zero point per step of a code.</summary>
    public const int ZeroSteps = 16;

    /// <summary>What zero points are a multiple of, so that 8 · (code − zero) fits a byte with a sign.</summary>
    public const int ZeroMultiple = 2;

    /// <summary>The largest code of <see cref="DataType.PackedQ4"/>.</summary>
    public const int MaxQ4Code = 15;

    public static bool IsPacked(DataType type) => type is DataType.PackedQ4 or DataType.PackedQ8;

    /// <summary>Tells whether a matrix of this shape can be packed: whole tiles of whole blocks.</summary>
    public static bool Fits(Shape shape) =>
        shape.Rank == 2 && shape[0] % TileRows == 0 && shape[1] % BlockColumns == 0 && shape.ElementCount > 0;

    /// <summary>Bytes of one tile.</summary>
    public static long TileBytes(DataType type, long columns)
    {
        Debug.Assert(columns % BlockColumns == 0, "A row is made of whole blocks.");
        long blocks = columns / BlockColumns;
        long headers = (blocks + 1) / 2 * HeaderBytes;
        return type == DataType.PackedQ4
            ? RowScaleBytes + headers + (blocks * Q4BlockBytes)
            : headers + (blocks * Q8BlockBytes);
    }

    /// <summary>The row length that makes a tile this large; <see langword="null"/> when none does.</summary>
    public static long? ColumnsOf(DataType type, long tileBytes)
    {
        int blockBytes = type == DataType.PackedQ4 ? Q4BlockBytes : Q8BlockBytes;
        long blockParts = tileBytes - (type == DataType.PackedQ4 ? RowScaleBytes : 0);
        int pairBytes = HeaderBytes + (2 * blockBytes);
        long blocks = (blockParts / pairBytes * 2) + (blockParts % pairBytes == HeaderBytes + blockBytes ? 1 : 0);
        return blocks > 0 && TileBytes(type, blocks * BlockColumns) == tileBytes ? blocks * BlockColumns : null;
    }

    public static long ByteCount(DataType type, Shape shape) => shape[0] / TileRows * TileBytes(type, shape[1]);

    /// <summary>Where the header of a block's pair begins in its tile.</summary>
    public static long HeaderOffset(DataType type, long block) => type == DataType.PackedQ4
        ? RowScaleBytes + (block / 2 * (HeaderBytes + (2 * Q4BlockBytes)))
        : block / 2 * (HeaderBytes + (2 * Q8BlockBytes));

    /// <summary>Where a block's codes begin in its tile.</summary>
    public static long CodesOffset(DataType type, long block) => HeaderOffset(type, block) + HeaderBytes
        + (block % 2 * (type == DataType.PackedQ4 ? Q4BlockBytes : Q8BlockBytes));

    /// <summary>Reads one value: what every faster way of reading must agree with.</summary>
    public static float Read(DataType type, byte* data, long columns, long row, long column)
    {
        byte* tile = data + (row / TileRows * TileBytes(type, columns));
        long block = column / BlockColumns;
        int r = (int)(row % TileRows);
        int k = (int)(column % BlockColumns);
        byte* header = tile + HeaderOffset(type, block) + (block % 2 * (HeaderBytes / 2));
        byte* codes = tile + CodesOffset(type, block);
        if (type == DataType.PackedQ4)
        {
            byte pair = codes[(k / 8 * 64) + (4 * r) + (k % 4)];
            int code = k % 8 < 4 ? pair & 0xF : pair >> 4;
            float scale = ((float*)tile)[r] * header[r];
            return scale * (code - (header[TileRows + r] / (float)ZeroSteps));
        }

        float blockScale = BitConverter.UInt32BitsToSingle((uint)((ushort*)header)[r] << 16);
        return blockScale * (sbyte)codes[(k / 4 * 64) + (4 * r) + (k % 4)];
    }
}
