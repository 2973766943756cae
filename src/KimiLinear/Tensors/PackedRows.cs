namespace KimiLinear.Tensors;

/// <summary>Reads rows of packed matrices as float32.</summary>
internal static unsafe class PackedRows
{
    /// <summary>Reads consecutive rows, each value exactly as <see cref="PackedLayout.Read"/> gives it.</summary>
    /// <param name="type">The packed type.</param>
    /// <param name="data">The matrix.</param>
    /// <param name="columns">The length of its rows.</param>
    /// <param name="firstRow">The first row to read.</param>
    /// <param name="rowCount">How many rows to read.</param>
    /// <param name="destination">Receives them, row after row. [rowCount, columns]</param>
    public static void Read(DataType type, byte* data, int columns, long firstRow, int rowCount, float* destination)
    {
        long tileBytes = PackedLayout.TileBytes(type, columns);
        for (long row = firstRow; row < firstRow + rowCount; row++)
        {
            byte* tile = data + (row / PackedLayout.TileRows * tileBytes);
            int rowInTile = (int)(row % PackedLayout.TileRows);
            for (int block = 0; block < columns / PackedLayout.BlockColumns; block++)
            {
                byte* header = tile + PackedLayout.HeaderOffset(type, block) + (block % 2 * (PackedLayout.HeaderBytes / 2));
                byte* codes = tile + PackedLayout.CodesOffset(type, block) + (4 * rowInTile);
                if (type == DataType.PackedQ4)
                {
                    float scale = ((float*)tile)[rowInTile] * header[rowInTile];
                    float zero = header[PackedLayout.TileRows + rowInTile] / (float)PackedLayout.ZeroSteps;
                    ReadQ4Block(codes, scale, zero, destination);
                }
                else
                {
                    float scale = BitConverter.UInt32BitsToSingle((uint)((ushort*)header)[rowInTile] << 16);
                    ReadQ8Block(codes, scale, destination);
                }

                destination += PackedLayout.BlockColumns;
            }
        }
    }

    private static void ReadQ4Block(byte* codes, float scale, float zero, float* destination)
    {
        for (int first = 0; first < PackedLayout.BlockColumns; first += 8)
        {
            for (int j = 0; j < 4; j++)
            {
                destination[first + j] = scale * ((codes[j] & 0xF) - zero);
                destination[first + 4 + j] = scale * ((codes[j] >> 4) - zero);
            }

            codes += PackedLayout.ChunkBytes;
        }
    }

    private static void ReadQ8Block(byte* codes, float scale, float* destination)
    {
        for (int first = 0; first < PackedLayout.BlockColumns; first += 4)
        {
            for (int j = 0; j < 4; j++)
            {
                destination[first + j] = scale * (sbyte)codes[j];
            }

            codes += PackedLayout.ChunkBytes;
        }
    }
}
