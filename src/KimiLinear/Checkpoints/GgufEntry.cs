using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>One tensor of a GGUF header.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">How its values are stored.</param>
/// <param name="Shape">Its axes, outermost first: the reverse of the file's order.</param>
/// <param name="Offset">Where its bytes begin, counted from the start of the data.</param>
internal sealed record GgufEntry(string Name, GgufDataType Type, Shape Shape, long Offset)
{
    /// <summary>The bytes it takes; 0 when its type is not known here.</summary>
    public long ByteCount => Type.DataType?.ByteCount(Shape.ElementCount) ?? 0;
}
