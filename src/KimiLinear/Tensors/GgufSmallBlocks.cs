namespace KimiLinear.Tensors;

/// <summary>GGUF's formats of 32 values a block. With 4 or 5 bits, a byte holds value i low and value i + 16 high.</summary>
internal static unsafe class GgufSmallBlocks
{
    private const int HalfLength = 16;

    // half scale; 16 bytes of codes. x = scale · (code − 8)
    public static void DecodeQ40(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        byte* codes = block + 2;
        for (int i = 0; i < HalfLength; i++)
        {
            values[i] = ((codes[i] & 15) - 8) * scale;
            values[i + HalfLength] = ((codes[i] >> 4) - 8) * scale;
        }
    }

    // half scale; half offset; 16 bytes of codes. x = scale · code + offset
    public static void DecodeQ41(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        float offset = GgufBlocks.ReadHalf(block + 2);
        byte* codes = block + 4;
        for (int i = 0; i < HalfLength; i++)
        {
            values[i] = ((codes[i] & 15) * scale) + offset;
            values[i + HalfLength] = ((codes[i] >> 4) * scale) + offset;
        }
    }

    // half scale; 32 fifth bits; 16 bytes of the codes' lower bits. x = scale · (code − 16)
    public static void DecodeQ50(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        uint fifthBits = *(uint*)(block + 2);
        byte* codes = block + 6;
        for (int i = 0; i < HalfLength; i++)
        {
            values[i] = (((codes[i] & 15) | FifthBit(fifthBits, i)) - 16) * scale;
            values[i + HalfLength] = (((codes[i] >> 4) | FifthBit(fifthBits, i + HalfLength)) - 16) * scale;
        }
    }

    // half scale; half offset; 32 fifth bits; 16 bytes of the codes' lower bits. x = scale · code + offset
    public static void DecodeQ51(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        float offset = GgufBlocks.ReadHalf(block + 2);
        uint fifthBits = *(uint*)(block + 4);
        byte* codes = block + 8;
        for (int i = 0; i < HalfLength; i++)
        {
            values[i] = (((codes[i] & 15) | FifthBit(fifthBits, i)) * scale) + offset;
            values[i + HalfLength] = (((codes[i] >> 4) | FifthBit(fifthBits, i + HalfLength)) * scale) + offset;
        }
    }

    // half scale; 32 signed bytes. x = scale · code
    public static void DecodeQ80(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        sbyte* codes = (sbyte*)(block + 2);
        for (int i = 0; i < 2 * HalfLength; i++)
        {
            values[i] = codes[i] * scale;
        }
    }

    private static int FifthBit(uint bits, int index) => (int)((bits >> index) & 1) << 4;
}
