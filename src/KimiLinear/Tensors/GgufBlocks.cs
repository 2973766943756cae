using System.Diagnostics;

namespace KimiLinear.Tensors;

/// <summary>Reads GGUF's block formats as float32: exactly the values that the format defines, in the order of the row.</summary>
/// <remarks>The arithmetic is that of ggml's dequantisation, each operation rounded to float32.</remarks>
internal static unsafe class GgufBlocks
{
    /// <summary>Whether a type is one of these formats.</summary>
    public static bool Holds(DataType type) => type is >= DataType.GgufQ40 and <= DataType.GgufQ6K;

    /// <summary>Decodes consecutive values.</summary>
    /// <param name="type">One of the GGUF formats.</param>
    /// <param name="source">The first block; it has no alignment.</param>
    /// <param name="valueCount">How many values; a multiple of the block.</param>
    /// <param name="destination">Receives them.</param>
    public static void Decode(DataType type, byte* source, long valueCount, float* destination)
    {
        (int length, int bytes) = (type.BlockLength(), type.BlockBytes());
        Debug.Assert(valueCount % length == 0, "Only whole blocks can be decoded.");
        float* end = destination + valueCount;
        for (; destination < end; destination += length, source += bytes)
        {
            switch (type)
            {
                case DataType.GgufQ40:
                    GgufSmallBlocks.DecodeQ40(source, destination);
                    break;
                case DataType.GgufQ41:
                    GgufSmallBlocks.DecodeQ41(source, destination);
                    break;
                case DataType.GgufQ50:
                    GgufSmallBlocks.DecodeQ50(source, destination);
                    break;
                case DataType.GgufQ51:
                    GgufSmallBlocks.DecodeQ51(source, destination);
                    break;
                case DataType.GgufQ80:
                    GgufSmallBlocks.DecodeQ80(source, destination);
                    break;
                case DataType.GgufQ4K:
                    GgufSuperBlocks.DecodeQ4K(source, destination);
                    break;
                case DataType.GgufQ5K:
                    GgufSuperBlocks.DecodeQ5K(source, destination);
                    break;
                case DataType.GgufQ6K:
                    GgufSuperBlocks.DecodeQ6K(source, destination);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "This data type is no GGUF block format.");
            }
        }
    }

    /// <summary>Reads a half-precision number, wherever it lies.</summary>
    public static float ReadHalf(byte* source) => (float)BitConverter.UInt16BitsToHalf(*(ushort*)source);
}
