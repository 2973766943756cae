using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Which quantised forms of a row a stage needs.</summary>
/// <param name="Planes">Whether one or two planes of bytes are wanted.</param>
/// <param name="TileShorts">Whether <see cref="QuantizedForm.TileShorts"/> or <see cref="QuantizedForm.RowShorts"/> is wanted.</param>
/// <param name="EvenOddShorts">Whether <see cref="QuantizedForm.EvenOddShorts"/> is wanted, always of 15 bits.</param>
/// <param name="EightBit">
/// Whether planes have 8 bits, and shorts 16 with one scale for the row; else both have 15, with a scale for every block.
/// </param>
/// <param name="NibblesByBytes">Whether GGUF's 4-bit weights are multiplied with the plane of bytes, not with shorts.</param>
internal readonly record struct OperandForms(
    bool Planes, bool TileShorts, bool EvenOddShorts, bool EightBit, bool NibblesByBytes)
{
    private static readonly DataTypeSet Nibbles = DataTypeSet.Of(Enum.GetValues<DataType>().Where(StripLayout.HasNibbles));

    private static readonly DataTypeSet WiderCodes = DataTypeSet.Of(
        Enum.GetValues<DataType>().Where(type => GgufBlocks.Holds(type) && !StripLayout.HasNibbles(type)));

    public bool IsQuantized => Planes || TileShorts || EvenOddShorts;

    /// <summary>What the matrices of a stage need, by the types of their parts.</summary>
    /// <param name="types">The types.</param>
    /// <param name="eightBit">Whether speed matters more than the last bits.</param>
    /// <param name="isExpert">
    /// Whether the weights are those of experts. Only there are 8 bits worth it with GGUF's types: only 4-bit codes are faster
    /// with them, nearly all weights are experts', and what is rounded before the router makes it choose other experts.
    /// </param>
    public static OperandForms For(DataTypeSet types, bool eightBit, bool isExpert)
    {
        bool nibblesByBytes = eightBit && isExpert;
        bool hasNibbles = types.Overlaps(Nibbles);
        return new OperandForms(
            types.Contains(DataType.PackedQ4) || (nibblesByBytes && hasNibbles),
            types.Contains(DataType.PackedQ8),
            types.Overlaps(WiderCodes) || (!nibblesByBytes && hasNibbles),
            eightBit,
            nibblesByBytes);
    }

    /// <summary>The form for a weight type; <see langword="null"/> for types that are multiplied as floats.</summary>
    public QuantizedForm? Of(DataType type) => type switch
    {
        _ when !IsQuantized => null,
        DataType.PackedQ4 => EightBit ? QuantizedForm.Bytes : QuantizedForm.BytePairs,
        DataType.PackedQ8 => EightBit ? QuantizedForm.RowShorts : QuantizedForm.TileShorts,
        _ when NibblesByBytes && StripLayout.HasNibbles(type) => QuantizedForm.Bytes,
        _ => GgufBlocks.Holds(type) ? QuantizedForm.EvenOddShorts : null,
    };
}
