using System.Buffers.Binary;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Random rows in one of GGUF's block formats, at the very end of readable memory, and the values they stand for.</summary>
internal sealed unsafe class GgufRows : IDisposable
{
    private readonly GuardedMemory _memory;

    public GgufRows(DataType type, int rowCount, int columnCount, int seed = 42)
        : this(type, rowCount, columnCount, new Random(seed), null)
    {
    }

    /// <summary>Rows of which every byte of codes is the same; 8-bit scales are as large as they can be.</summary>
    public GgufRows(DataType type, int rowCount, int columnCount, byte codes)
        : this(type, rowCount, columnCount, new Random(1), codes)
    {
    }

    private GgufRows(DataType type, int rowCount, int columnCount, Random random, byte? codes)
    {
        Type = type;
        (RowCount, ColumnCount) = (rowCount, columnCount);
        _memory = new GuardedMemory(type.ByteCount((long)rowCount * columnCount));
        Fill(random, codes);
        Values = new float[rowCount * columnCount];
        fixed (float* values = Values)
        {
            GgufBlocks.Decode(type, _memory.Data, Values.Length, values);
        }
    }

    public DataType Type { get; }

    public int RowCount { get; }

    public int ColumnCount { get; }

    public byte* Data => _memory.Data;

    public float[] Values { get; }

    public StoredTensor ToTensor(string name = "weights") =>
        new(name, Type, new Shape(RowCount, ColumnCount), _memory.Data, "");

    public void Dispose() => _memory.Dispose();

    // Any bytes will do but for the scales, which must be numbers of a usual size.
    private void Fill(Random random, byte? codes)
    {
        int blockBytes = Type.BlockBytes();
        for (int i = 0; i < RowCount * ColumnCount / Type.BlockLength(); i++)
        {
            Span<byte> block = new(_memory.Data + (i * blockBytes), blockBytes);
            random.NextBytes(block);
            if (codes is { } code)
            {
                block.Fill(code);
                if (Type == DataType.GgufQ6K)
                {
                    block[192..208].Fill(0x80);
                }
            }

            int scale = Type == DataType.GgufQ6K ? 208 : 0;
            BinaryPrimitives.WriteHalfLittleEndian(block[scale..], (Half)(random.NextSingle() - 0.5f));
            if (Type is DataType.GgufQ41 or DataType.GgufQ51 or DataType.GgufQ4K or DataType.GgufQ5K)
            {
                BinaryPrimitives.WriteHalfLittleEndian(block[2..], (Half)(random.NextSingle() - 0.5f));
            }
        }
    }
}
