using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>How a packed matrix is written into a safetensors file: as bytes [tiles, tileBytes] under a longer name.</summary>
/// <remarks>The format has no word for packed values; other readers see bytes, and cannot mistake them for numbers.</remarks>
internal static class PackedEntry
{
    private const string Q4Suffix = ".q4";
    private const string Q8Suffix = ".q8";

    /// <summary>The name and shape under which a packed matrix is declared, with <see cref="DataType.UInt8"/>.</summary>
    public static (string Name, long Tiles, long TileBytes) Describe(string name, DataType type, Shape shape) =>
        (name + (type == DataType.PackedQ4 ? Q4Suffix : Q8Suffix),
            shape[0] / PackedLayout.TileRows,
            PackedLayout.TileBytes(type, shape[1]));

    /// <summary>Tells whether an entry holds a packed matrix.</summary>
    public static bool IsPacked(SafetensorsEntry entry) => TypeOf(entry) is not null;

    /// <summary>Makes the tensor that an entry holds: a packed matrix under its own name, or the entry as it is.</summary>
    /// <exception cref="CheckpointFormatException">A packed matrix has an impossible size, or lies askew in the file.</exception>
    public static unsafe StoredTensor View(SafetensorsEntry entry, byte* data, string filePath)
    {
        if (TypeOf(entry) is not { } type)
        {
            return new StoredTensor(entry.Name, entry.Type.DataType!.Value, entry.Shape, data, filePath) { IsMapped = true };
        }

        if (entry.Shape.Rank != 2 || entry.Shape[0] == 0 || PackedLayout.ColumnsOf(type, entry.Shape[1]) is not { } columns)
        {
            throw new CheckpointFormatException(
                $"{entry.Name} must have the shape [tiles, bytes of a tile] with rows of whole blocks, but has {entry.Shape}. "
                + $"Pack the model again. ('{filePath}')",
                filePath);
        }

        if ((nuint)data % PackedLayout.AlignmentBytes != 0)
        {
            throw new CheckpointFormatException(
                $"{entry.Name} must begin at a multiple of {PackedLayout.AlignmentBytes} bytes in '{filePath}', but does not: "
                + $"byte {entry.Begin} after the header. Pack the model again.",
                filePath);
        }

        string name = entry.Name[..^Q4Suffix.Length];
        return new StoredTensor(name, type, new Shape(entry.Shape[0] * PackedLayout.TileRows, columns), data, filePath)
        {
            IsMapped = true,
        };
    }

    private static DataType? TypeOf(SafetensorsEntry entry) =>
        entry.Type.DataType != DataType.UInt8 ? null
        : entry.Name.EndsWith(Q4Suffix, StringComparison.Ordinal) ? DataType.PackedQ4
        : entry.Name.EndsWith(Q8Suffix, StringComparison.Ordinal) ? DataType.PackedQ8
        : null;
}
