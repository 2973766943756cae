namespace KimiLinear.Tensors;

/// <summary>GGUF's "K" formats of 256 values a block, divided further: every part has a small scale of its own.</summary>
internal static unsafe class GgufSuperBlocks
{
    // Each part of the 4- and 5-bit formats; a byte of codes holds a value of an even part low and of the next part high.
    private const int PartLength = 32;
    private const int PartCount = 8;

    // half scale; half offset; 12 bytes of 6-bit scales and offsets; 128 bytes of codes.
    // x = (scale · partScale) · code − (offset · partOffset)
    public static void DecodeQ4K(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        float offset = GgufBlocks.ReadHalf(block + 2);
        byte* codes = block + 16;
        for (int part = 0; part < PartCount; part++, values += PartLength)
        {
            float partScale = scale * PartScale(block + 4, part);
            float partOffset = offset * PartOffset(block + 4, part);
            byte* pair = codes + (part / 2 * PartLength);
            int shift = part % 2 * 4;
            for (int i = 0; i < PartLength; i++)
            {
                values[i] = (partScale * ((pair[i] >> shift) & 15)) - partOffset;
            }
        }
    }

    // As the 4-bit format, with 32 bytes of fifth bits before the codes: bit p of byte i belongs to value i of part p.
    public static void DecodeQ5K(byte* block, float* values)
    {
        float scale = GgufBlocks.ReadHalf(block);
        float offset = GgufBlocks.ReadHalf(block + 2);
        byte* fifthBits = block + 16;
        byte* codes = block + 48;
        for (int part = 0; part < PartCount; part++, values += PartLength)
        {
            float partScale = scale * PartScale(block + 4, part);
            float partOffset = offset * PartOffset(block + 4, part);
            byte* pair = codes + (part / 2 * PartLength);
            int shift = part % 2 * 4;
            for (int i = 0; i < PartLength; i++)
            {
                int code = ((pair[i] >> shift) & 15) | (((fifthBits[i] >> part) & 1) << 4);
                values[i] = (partScale * code) - partOffset;
            }
        }
    }

    // 128 bytes of the codes' low 4 bits; 64 bytes of their high 2 bits; 16 signed scales of 16 values each; half scale.
    // x = (scale · partScale) · (code − 32)
    public static void DecodeQ6K(byte* block, float* values)
    {
        byte* low = block;
        byte* high = block + 128;
        sbyte* partScales = (sbyte*)(block + 192);
        float scale = GgufBlocks.ReadHalf(block + 208);

        // Two halves of 128 values, each of four runs of 32: a byte of low bits serves runs r and r + 2, one of high bits all.
        for (int half = 0; half < 2; half++)
        {
            for (int run = 0; run < 4; run++)
            {
                for (int i = 0; i < PartLength; i++)
                {
                    int lowBits = (low[(64 * half) + (run % 2 * 32) + i] >> (run / 2 * 4)) & 15;
                    int highBits = (high[(32 * half) + i] >> (2 * run)) & 3;
                    float partScale = scale * partScales[(8 * half) + (2 * run) + (i / 16)];
                    *values++ = partScale * ((lowBits | (highBits << 4)) - 32);
                }
            }
        }
    }

    // Eight scales and eight offsets of 6 bits: those of the first four parts whole in bytes 0 to 3 and 4 to 7, the low bits of
    // the others in bytes 8 to 11 and their high bits on top of the former.
    private static int PartScale(byte* packed, int part) => part < 4
        ? packed[part] & 63
        : (packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4);

    private static int PartOffset(byte* packed, int part) => part < 4
        ? packed[part + 4] & 63
        : (packed[part + 4] >> 4) | (packed[part] >> 6 << 4);
}
