using System.Diagnostics;

namespace KimiLinear.Tensors;

/// <summary>A tensor as a file holds it: a view of mapped memory that lives as long as the checkpoint it came from.</summary>
/// <remarks>The address has no alignment beyond one byte, but for packed types that of 64 bytes.</remarks>
internal sealed unsafe class StoredTensor
{
    public StoredTensor(string name, DataType dataType, Shape shape, byte* data, string filePath)
    {
        Debug.Assert(data != null || shape.ElementCount == 0, "A tensor with values needs memory.");
        Debug.Assert(
            dataType.BlockLength() == 1 || (shape.Rank > 0 && shape[shape.Rank - 1] % dataType.BlockLength() == 0),
            "No row may break a block.");
        Name = name;
        DataType = dataType;
        Shape = shape;
        Data = data;
        FilePath = filePath;
    }

    public string Name { get; }

    public DataType DataType { get; }

    public Shape Shape { get; }

    /// <summary>First byte of the values, row-major.</summary>
    public byte* Data { get; }

    /// <summary>Bytes of the values, without <see cref="Scales"/>.</summary>
    public long ByteCount => PackedLayout.IsPacked(DataType)
        ? PackedLayout.ByteCount(DataType, Shape)
        : DataType.ByteCount(Shape.ElementCount);

    /// <summary>
    /// What the values are to be multiplied with, as <see cref="Float8Scales"/> says; matrices of 8-bit floats have such scales,
    /// others have none.
    /// </summary>
    public StoredTensor? Scales { get; private init; }

    /// <summary>Bytes of the values and of <see cref="Scales"/>.</summary>
    public long TotalByteCount => ByteCount + (Scales?.ByteCount ?? 0);

    /// <summary>Whether the values lie in a mapped file, whose pages may be given up once they have been read.</summary>
    public bool IsMapped { get; init; }

    /// <summary>The file the tensor lies in, for messages.</summary>
    public string FilePath { get; }

    /// <summary>The same tensor with its scales.</summary>
    public StoredTensor WithScales(StoredTensor scales) =>
        new(Name, DataType, Shape, Data, FilePath) { IsMapped = IsMapped, Scales = scales };
}
