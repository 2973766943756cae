using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>A packed matrix of any bytes, in memory that ends or begins where the process may read no further.</summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly GuardedMemory _memory;

    public PackedMatrix(Random random, DataType type, int tileCount, int columns, bool guardsStart = false)
    {
        Type = type;
        TileCount = tileCount;
        Columns = columns;
        long tileBytes = PackedLayout.TileBytes(type, columns);
        _memory = new GuardedMemory(tileCount * tileBytes, guardsStart);
        for (int tile = 0; tile < tileCount; tile++)
        {
            Fill(random, _memory.Data + (tile * tileBytes));
        }

        Values = new float[RowCount * columns];
        Codes = new int[Values.Length];
        for (int i = 0; i < Values.Length; i++)
        {
            (int row, int column) = (i / columns, i % columns);
            Values[i] = PackedLayout.Read(type, Data, columns, row, column);
            Codes[i] = Code(row, column);
        }
    }

    public DataType Type { get; }

    public int TileCount { get; }

    public int Columns { get; }

    public int RowCount => TileCount * PackedLayout.TileRows;

    public byte* Data => _memory.Data;

    /// <summary>What reads back, row after row.</summary>
    public float[] Values { get; }

    /// <summary>The integers that are stored, row after row.</summary>
    public int[] Codes { get; }

    /// <summary>What a row's scales are multiplied with; 1 where there is no such thing.</summary>
    public float RowScale(int row) => Type == DataType.PackedQ4 ? ((float*)Tile(row))[row % PackedLayout.TileRows] : 1;

    /// <summary>The scale of a row's block.</summary>
    public float Scale(int row, int block) => Type == DataType.PackedQ4
        ? Header(row, block)[row % PackedLayout.TileRows]
        : BitConverter.UInt32BitsToSingle((uint)((ushort*)Header(row, block))[row % PackedLayout.TileRows] << 16);

    /// <summary>The zero point of a row's block, in sixteenths; 0 where there is none.</summary>
    public int Zero(int row, int block) => Type == DataType.PackedQ4
        ? Header(row, block)[PackedLayout.TileRows + (row % PackedLayout.TileRows)]
        : 0;

    public void Dispose() => _memory.Dispose();

    private byte* Tile(int row) => Data + (row / PackedLayout.TileRows * PackedLayout.TileBytes(Type, Columns));

    private byte* Header(int row, int block) =>
        Tile(row) + PackedLayout.HeaderOffset(Type, block) + (block % 2 * (PackedLayout.HeaderBytes / 2));

    private int Code(int row, int column)
    {
        int k = column % PackedLayout.BlockColumns;
        byte* codes = Tile(row) + PackedLayout.CodesOffset(Type, column / PackedLayout.BlockColumns)
            + (4 * (row % PackedLayout.TileRows)) + (k % 4);
        return Type == DataType.PackedQ4
            ? (codes[k / 8 * PackedLayout.ChunkBytes] >> (k / 4 % 2 * 4)) & 15
            : (sbyte)codes[k / 4 * PackedLayout.ChunkBytes];
    }

    // Random bytes, but for some blocks of one extreme code throughout; all numbers are finite, and zero points even.
    private void Fill(Random random, byte* tile)
    {
        random.NextBytes(new Span<byte>(tile, (int)PackedLayout.TileBytes(Type, Columns)));
        for (int row = 0; Type == DataType.PackedQ4 && row < PackedLayout.TileRows; row++)
        {
            ((float*)tile)[row] = (random.NextSingle() - 0.3f) / 100;
        }

        int blockBytes = Type == DataType.PackedQ4 ? PackedLayout.Q4BlockBytes : PackedLayout.Q8BlockBytes;
        for (int block = 0; block < Columns / PackedLayout.BlockColumns; block++)
        {
            Span<byte> codes = new(tile + PackedLayout.CodesOffset(Type, block), blockBytes);
            byte[] extremes = [0x00, 0xFF, 0x7F, 0x80];
            if (random.Next(3) == 0)
            {
                codes.Fill(extremes[random.Next(extremes.Length)]);
            }

            long offset = PackedLayout.HeaderOffset(Type, block) + (block % 2 * (PackedLayout.HeaderBytes / 2));
            ushort* header = (ushort*)(tile + offset);
            for (int row = 0; Type == DataType.PackedQ4 && row < PackedLayout.TileRows; row++)
            {
                ((byte*)header)[PackedLayout.TileRows + row] &= 0xFE;
            }

            for (int row = 0; Type == DataType.PackedQ8 && row < PackedLayout.TileRows; row++)
            {
                header[row] = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16);
            }
        }
    }
}
