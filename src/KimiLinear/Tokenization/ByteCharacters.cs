using System.Text;

namespace KimiLinear.Tokenization;

/// <summary>The GPT-2 way to write any bytes as visible text: every byte has a character that stands for it.</summary>
/// <remarks>Bytes that are visible characters of Latin-1 stand for themselves, the others for U+0100 and up, in order.</remarks>
internal static class ByteCharacters
{
    private const short NoByte = -1;

    private static readonly short[] ByteOf = Invert();

    /// <summary>Gives back the bytes that a text stands for; <see langword="false"/> when it stands for none.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="bytes">Receives the bytes; as long as the text at least.</param>
    /// <param name="length">How many there are.</param>
    public static bool TryDecode(ReadOnlySpan<byte> utf8, Span<byte> bytes, out int length)
    {
        length = 0;
        while (!utf8.IsEmpty)
        {
            // Bytes that are no text decode to U+FFFD, which stands for no byte.
            _ = Rune.DecodeFromUtf8(utf8, out Rune character, out int consumed);
            if (character.Value >= ByteOf.Length || ByteOf[character.Value] == NoByte)
            {
                return false;
            }

            bytes[length++] = (byte)ByteOf[character.Value];
            utf8 = utf8[consumed..];
        }

        return true;
    }

    private static short[] Invert()
    {
        List<short> byteOf = [.. Enumerable.Range(0, 256).Select(value => IsVisible(value) ? (short)value : NoByte)];
        byteOf.AddRange(Enumerable.Range(0, 256).Where(value => !IsVisible(value)).Select(value => (short)value));
        return [.. byteOf];
    }

    private static bool IsVisible(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
}
