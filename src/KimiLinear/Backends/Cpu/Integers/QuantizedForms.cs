using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Which form of activations the kernel of a weight type multiplies with.</summary>
internal static class QuantizedForms
{
    /// <summary>From this many rows of x on, unpacking weights once costs less than unpacking them for every few rows.</summary>
    public const int PanelThreshold = 8;

    /// <summary>The form for a weight type; <see langword="null"/> for types that are multiplied as floats.</summary>
    /// <param name="type">The weights' type.</param>
    /// <param name="eightBit">Whether activations are rounded to 8 bits, else to 15.</param>
    /// <param name="rowCount">How many rows of activations a product has.</param>
    public static QuantizedForm? Of(DataType type, bool eightBit, int rowCount) => type switch
    {
        DataType.PackedQ4 => eightBit ? QuantizedForm.Bytes : QuantizedForm.BytePairs,
        DataType.PackedQ8 => QuantizedForm.TileShorts,
        _ when GgufBlocks.Holds(type) => eightBit && StripLayout.HasNibbles(type) && rowCount >= PanelThreshold
            ? QuantizedForm.Bytes
            : QuantizedForm.EvenOddShorts,
        _ => null,
    };

    /// <summary>The largest code of a form.</summary>
    public static int MaxCode(bool eightBit) => eightBit ? ActivationQuantizer.MaxByte : ActivationQuantizer.MaxShort;
}
