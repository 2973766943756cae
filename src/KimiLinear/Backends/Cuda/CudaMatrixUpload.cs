using System.Diagnostics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Brings stored matrices to a GPU in one of its formats: rows as they are, tiles of rows taken apart.</summary>
internal sealed unsafe class CudaMatrixUpload(CudaStaging staging)
{
    // Of a tile, the four bytes of each row that follow each other.
    private const int WordBytes = 4;

    /// <summary>The codes of a stored matrix.</summary>
    public void Values(StoredTensor source, CudaRegion region, long offset)
    {
        if (PackedLayout.IsPacked(source.DataType))
        {
            TileValues(source, region, offset);
        }
        else
        {
            staging.Copy(source.Data, region, offset, source.ByteCount);
        }
    }

    /// <summary>The values of a stored matrix, each rounded to bfloat16.</summary>
    public void Rounded(StoredTensor source, CudaRegion region, long offset)
    {
        long columns = source.Shape[1];
        float[] row = new float[columns];
        fixed (float* values = row)
        {
            for (long r = 0; r < source.Shape[0]; r++, offset += columns * sizeof(ushort))
            {
                StoredRows.Read(source, r, 1, values);
                ushort* rounded = (ushort*)staging.Next();
                for (long c = 0; c < columns; c++)
                {
                    rounded[c] = Round(values[c]);
                }

                staging.Send(region, offset, columns * sizeof(ushort));
            }
        }
    }

    /// <summary>The scales of the blocks of one matrix that is stored in parts, block by block.</summary>
    public void Scales(ReadOnlySpan<StoredTensor> parts, long rows, CudaFormat format, CudaRegion region, long offset)
    {
        byte[] scales = new byte[format.ScaleByteCount(rows, parts[0].Shape[1])];
        int stride = CudaFormats.ScaleStride(rows);
        fixed (byte* target = scales)
        {
            long firstRow = 0;
            foreach (StoredTensor part in parts)
            {
                if (format == CudaFormat.Float8)
                {
                    ReadFloat8Scales(part, (float*)target + firstRow, stride);
                }
                else
                {
                    ReadTileScales(part, (ushort*)target + firstRow, stride);
                }

                firstRow += part.Shape[0];
            }

            staging.Copy(target, region, offset, scales.Length);
        }
    }

    /// <summary>The scales of the rows of a stored matrix.</summary>
    public void RowScales(StoredTensor source, CudaRegion region, long offset)
    {
        Debug.Assert(source.DataType == DataType.PackedQ4, "Others have none.");
        float[] scales = new float[source.Shape[0]];
        for (int row = 0; row < scales.Length; row++)
        {
            scales[row] = ((float*)Tile(source, row))[row % PackedLayout.TileRows];
        }

        fixed (float* values = scales)
        {
            staging.Copy((byte*)values, region, offset, (long)scales.Length * sizeof(float));
        }
    }

    private static byte* Tile(StoredTensor source, long row) =>
        source.Data + (row / PackedLayout.TileRows * PackedLayout.TileBytes(source.DataType, source.Shape[1]));

    private static void ReadFloat8Scales(StoredTensor part, float* target, int stride)
    {
        const int BlockLength = Float8Scales.BlockLength;
        const byte NoNumber = Float8.MagnitudeBits;
        Float8Scales scales = new(part);
        long columns = part.Shape[1];
        for (long row = 0; row < part.Shape[0]; row++)
        {
            byte* codes = part.Data + (row * columns);
            for (long first = 0; first < columns; first += BlockLength)
            {
                // The kernels do not look for codes that are no number; so their block's scale is none.
                ReadOnlySpan<byte> block = new(codes + first, (int)Math.Min(BlockLength, columns - first));
                target[(first / BlockLength * stride) + row] = block.ContainsAny(NoNumber, (byte)(NoNumber | 0x80))
                    ? float.NaN
                    : scales.Read(row, first / BlockLength);
            }
        }
    }

    private static void ReadTileScales(StoredTensor part, ushort* target, int stride)
    {
        for (long row = 0; row < part.Shape[0]; row++)
        {
            byte* tile = Tile(part, row);
            int inTile = (int)(row % PackedLayout.TileRows);
            for (long block = 0; block < part.Shape[1] / PackedLayout.BlockColumns; block++)
            {
                byte* header = tile + PackedLayout.HeaderOffset(part.DataType, block)
                    + (block % 2 * (PackedLayout.HeaderBytes / 2));
                target[(block * stride) + row] = part.DataType == DataType.PackedQ4
                    ? (ushort)(header[inTile] | (header[PackedLayout.TileRows + inTile] << 8))
                    : ((ushort*)header)[inTile];
            }
        }
    }

    // Row by row what lies there for sixteen rows at a time; the order within a word stays.
    private void TileValues(StoredTensor source, CudaRegion region, long offset)
    {
        long columns = source.Shape[1];
        int blockBytes = (source.DataType == DataType.PackedQ4 ? PackedLayout.Q4BlockBytes : PackedLayout.Q8BlockBytes)
            / PackedLayout.TileRows;
        long rowBytes = columns / PackedLayout.BlockColumns * blockBytes;
        long tileCount = source.Shape[0] / PackedLayout.TileRows;
        int staged = (int)Math.Clamp(CudaStaging.BufferBytes / (rowBytes * PackedLayout.TileRows), 1, tileCount);
        for (long first = 0; first < tileCount; first += staged)
        {
            int count = (int)Math.Min(staged, tileCount - first);
            byte* target = staging.Next();
            for (int i = 0; i < count; i++)
            {
                byte* tile = Tile(source, (first + i) * PackedLayout.TileRows);
                for (long block = 0; block < columns / PackedLayout.BlockColumns; block++)
                {
                    Untangle(
                        tile + PackedLayout.CodesOffset(source.DataType, block),
                        blockBytes / WordBytes,
                        target + (i * PackedLayout.TileRows * rowBytes) + (block * blockBytes),
                        rowBytes);
                }
            }

            long bytes = count * PackedLayout.TileRows * rowBytes;
            staging.Send(region, offset, bytes);
            offset += bytes;
        }
    }

    private static void Untangle(byte* codes, int chunkCount, byte* target, long rowBytes)
    {
        for (int chunk = 0; chunk < chunkCount; chunk++)
        {
            uint* words = (uint*)(codes + (chunk * PackedLayout.ChunkBytes));
            for (int row = 0; row < PackedLayout.TileRows; row++)
            {
                *(uint*)(target + (row * rowBytes) + (chunk * WordBytes)) = words[row];
            }
        }
    }

    // To the nearest, ties to even; what is no number stays none.
    private static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
