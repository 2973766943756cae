using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Writes float32 values in the plain types weights have, to the nearest, half to even.</summary>
internal static class PlainNumbers
{
    public static byte[] Encode(ReadOnlySpan<float> values, DataType type)
    {
        if (type == DataType.Float32)
        {
            return MemoryMarshal.AsBytes(values).ToArray();
        }

        ushort[] halves = new ushort[values.Length];
        for (int i = 0; i < halves.Length; i++)
        {
            halves[i] = type == DataType.Float16 ? BitConverter.HalfToUInt16Bits((Half)values[i]) : ToBFloat16(values[i]);
        }

        return MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
    }

    // Means of finite weights are finite and far from the largest, so nothing overflows.
    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
