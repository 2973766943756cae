using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Four tiles of weights unpacked to what one multiplication takes, for many rows of activations.</summary>
/// <remarks>
/// Memory is [row scales: float32 4 · 16][scales: float32 blocks · 4 · 16][offsets: the same][codes: blocks · 4 tiles · chunks of
/// 64 bytes]; a lane of 32 bits of a chunk has the codes of one row. value = row scale · (scale · code − offset). Where scales are
/// integers, a scale lies as two 16-bit numbers in the place of its float; <see cref="VnniPanel"/> puts other things there.
/// </remarks>
internal readonly unsafe struct WeightPanel(byte* memory, int blockCount, int chunkCount)
{
    /// <summary>Tiles unpacked together.</summary>
    public const int TileCount = 4;

    /// <summary>From this many rows of x on, unpacking weights once costs less than unpacking them for every few rows.</summary>
    public const int MinInputRows = 8;

    public const int ChunkBytes = 64;

    /// <summary>Scales or offsets of one block.</summary>
    public const int ScalesPerBlock = TileCount * PackedLayout.TileRows;

    public int BlockCount { get; } = blockCount;

    /// <summary>Bytes from a tile's codes to the next one's, in one block.</summary>
    public int TileStride { get; } = chunkCount * ChunkBytes;

    public float* RowScales => (float*)memory; // [4, 16]

    public float* Scales => RowScales + ScalesPerBlock; // [blocks, 4, 16]

    public float* Offsets => Scales + ((long)BlockCount * ScalesPerBlock); // [blocks, 4, 16]

    public byte* Codes => (byte*)(Offsets + ((long)BlockCount * ScalesPerBlock)); // [blocks, 4, chunks, 64]

    /// <summary>Bytes a panel takes.</summary>
    public static long ByteCount(int blockCount, int chunkCount) =>
        (sizeof(float) * (long)ScalesPerBlock * (1 + (2 * blockCount)))
        + ((long)blockCount * TileCount * chunkCount * ChunkBytes);

    /// <summary>The codes of one tile in one block.</summary>
    public byte* TileCodes(int block, int tile) => Codes + ((((long)block * TileCount) + tile) * TileStride);
}
