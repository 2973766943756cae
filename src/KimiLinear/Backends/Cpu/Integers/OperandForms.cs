using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Which quantised forms of a row a stage needs.</summary>
/// <param name="Planes">Whether one or two planes of bytes are wanted.</param>
/// <param name="TileShorts">Whether <see cref="QuantizedForm.TileShorts"/> is wanted.</param>
/// <param name="EvenOddShorts">Whether <see cref="QuantizedForm.EvenOddShorts"/> is wanted.</param>
/// <param name="EightBit">Whether activations are rounded to 8 bits, else to 15.</param>
internal readonly record struct OperandForms(bool Planes, bool TileShorts, bool EvenOddShorts, bool EightBit)
{
    private static readonly DataTypeSet Gguf = DataTypeSet.Of(Enum.GetValues<DataType>().Where(GgufBlocks.Holds));
    private static readonly DataTypeSet GgufNibbles =
        DataTypeSet.Of(Enum.GetValues<DataType>().Where(StripLayout.HasNibbles));

    public bool IsQuantized => Planes || TileShorts || EvenOddShorts;

    /// <summary>What the matrices of a stage need, by the types of their parts.</summary>
    public static OperandForms For(DataTypeSet types, bool eightBit) => new(
        types.Contains(DataType.PackedQ4) || (eightBit && types.Overlaps(GgufNibbles)),
        types.Contains(DataType.PackedQ8),
        types.Overlaps(Gguf),
        eightBit);
}
