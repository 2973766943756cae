using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>One tensor of a packed model: where it comes from and how it is written.</summary>
internal sealed class PlannedTensor
{
    public PlannedTensor(StoredTensor source, DataType type)
    {
        Source = source;
        Type = type;
        ByteCount = RowConverter.ByteCount(type, StoredRows.CountOf(source), StoredRows.LengthOf(source));
        if (PackedLayout.IsPacked(type))
        {
            (StoredName, long tiles, long tileBytes) = PackedEntry.Describe(source.Name, type, source.Shape);
            (StoredType, StoredShape) = (DataType.UInt8, new Shape(tiles, tileBytes));
        }
        else
        {
            (StoredName, StoredType, StoredShape) = (source.Name, type, source.Shape);
        }
    }

    public StoredTensor Source { get; }

    public DataType Type { get; }

    /// <summary>Bytes it takes in the file.</summary>
    public long ByteCount { get; }

    /// <summary>The name it has in the file.</summary>
    public string StoredName { get; }

    /// <summary>The type the file states.</summary>
    public DataType StoredType { get; }

    /// <summary>The shape the file states.</summary>
    public Shape StoredShape { get; }
}
