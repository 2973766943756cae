using System.Buffers.Binary;
using KimiLinear.Tensors;

namespace KimiLinear.Tests.TestSupport;

/// <summary>The published definition of GGUF's block formats, one value at a time: the oracle of the decoders.</summary>
internal static class GgufValue
{
    public static readonly DataType[] Types =
    [
        DataType.GgufQ40, DataType.GgufQ41, DataType.GgufQ50, DataType.GgufQ51, DataType.GgufQ80,
        DataType.GgufQ4K, DataType.GgufQ5K, DataType.GgufQ6K,
    ];

    /// <summary>Value <paramref name="j"/> of a block.</summary>
    public static float Of(DataType type, ReadOnlySpan<byte> block, int j) => type switch
    {
        DataType.GgufQ40 => Half(block, 0) * (Nibble(block[2..], j) - 8),
        DataType.GgufQ41 => (Half(block, 0) * Nibble(block[4..], j)) + Half(block, 2),
        DataType.GgufQ50 => Half(block, 0) * (Nibble(block[6..], j) + (16 * Bit(block[2..], j)) - 16),
        DataType.GgufQ51 => (Half(block, 0) * (Nibble(block[8..], j) + (16 * Bit(block[4..], j)))) + Half(block, 2),
        DataType.GgufQ80 => Half(block, 0) * (sbyte)block[2 + j],
        DataType.GgufQ4K => OfQ4K(block, j),
        DataType.GgufQ5K => OfQ5K(block, j),
        DataType.GgufQ6K => OfQ6K(block, j),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    private static float OfQ4K(ReadOnlySpan<byte> block, int j)
    {
        (int scale, int min) = SixBits(block.Slice(4, 12), j / 32);
        byte pair = block[16 + (j / 64 * 32) + (j % 32)];
        int code = j % 64 < 32 ? pair & 15 : pair >> 4;
        return (Half(block, 0) * scale * code) - (Half(block, 2) * min);
    }

    private static float OfQ5K(ReadOnlySpan<byte> block, int j)
    {
        (int scale, int min) = SixBits(block.Slice(4, 12), j / 32);
        byte pair = block[48 + (j / 64 * 32) + (j % 32)];
        int code = j % 64 < 32 ? pair & 15 : pair >> 4;
        bool hasFifth = (block[16 + (j % 32)] & (1 << (j / 32))) != 0;
        return (Half(block, 0) * scale * (hasFifth ? code + 16 : code)) - (Half(block, 2) * min);
    }

    private static float OfQ6K(ReadOnlySpan<byte> block, int j)
    {
        (int n, int position) = (j / 128, j % 128);
        int l = position % 32;
        ReadOnlySpan<byte> ql = block.Slice(64 * n, 64);
        byte qh = block[128 + (32 * n) + l];
        int code = (position / 32) switch
        {
            0 => (ql[l] & 15) | ((qh & 3) << 4),
            1 => (ql[l + 32] & 15) | (((qh >> 2) & 3) << 4),
            2 => (ql[l] >> 4) | (((qh >> 4) & 3) << 4),
            _ => (ql[l + 32] >> 4) | (((qh >> 6) & 3) << 4),
        };
        return Half(block, 208) * (sbyte)block[192 + (j / 16)] * (code - 32);
    }

    private static (int Scale, int Min) SixBits(ReadOnlySpan<byte> scales, int j) => j < 4
        ? (scales[j] & 63, scales[j + 4] & 63)
        : ((scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4), (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4));

    private static int Nibble(ReadOnlySpan<byte> codes, int j) => j < 16 ? codes[j] & 15 : codes[j - 16] >> 4;

    private static int Bit(ReadOnlySpan<byte> bits, int j) => (bits[j / 8] >> (j % 8)) & 1;

    private static float Half(ReadOnlySpan<byte> block, int offset) =>
        (float)BinaryPrimitives.ReadHalfLittleEndian(block[offset..]);
}
