using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>One tile, packed from 16 rows and read back.</summary>
internal sealed unsafe class PackedTile
{
    private PackedTile(DataType type, int columns, byte[] bytes)
    {
        Type = type;
        Columns = columns;
        Bytes = bytes;
        Values = new float[PackedLayout.TileRows * columns];
        fixed (byte* data = bytes)
        {
            for (int i = 0; i < Values.Length; i++)
            {
                Values[i] = PackedLayout.Read(type, data, columns, i / columns, i % columns);
            }
        }
    }

    public DataType Type { get; }

    public int Columns { get; }

    public byte[] Bytes { get; }

    /// <summary>What reads back, row after row.</summary>
    public float[] Values { get; }

    /// <summary>Packs 16 rows into memory that held a given byte before.</summary>
    public static PackedTile Encode(DataType type, float[] rows, byte before = 0xCD)
    {
        int columns = rows.Length / PackedLayout.TileRows;
        byte[] bytes = new byte[PackedLayout.TileBytes(type, columns)];
        bytes.AsSpan().Fill(before);
        fixed (float* source = rows)
        fixed (byte* destination = bytes)
        {
            if (type == DataType.PackedQ4)
            {
                using PackedQ4Encoder encoder = new();
                encoder.Encode(source, columns, destination);
            }
            else
            {
                PackedQ8Encoder.Encode(source, columns, destination);
            }
        }

        return new PackedTile(type, columns, bytes);
    }

    /// <summary>Where the header of a row's block lies: scale bytes first.</summary>
    public int Header(int block) =>
        (int)PackedLayout.HeaderOffset(Type, block) + (block % 2 * (PackedLayout.HeaderBytes / 2));

    /// <summary>The distance between neighbouring values that a block can take.</summary>
    public float Step(int row, int block) => Type == DataType.PackedQ4
        ? MemoryMarshal.Cast<byte, float>(Bytes)[row] * Bytes[Header(block) + row]
        : BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(Bytes.AsSpan(Header(block)))[row] << 16);

    /// <summary>The smallest value that a block can take.</summary>
    public float Lowest(int row, int block) => Type == DataType.PackedQ4
        ? Step(row, block) * -(Bytes[Header(block) + PackedLayout.TileRows + row] / 16f)
        : Step(row, block) * -127;

    /// <summary>The largest value that a block can take.</summary>
    public float Highest(int row, int block) => Type == DataType.PackedQ4
        ? Step(row, block) * (15 - (Bytes[Header(block) + PackedLayout.TileRows + row] / 16f))
        : Step(row, block) * 127;
}
