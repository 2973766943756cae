namespace KimiLinear.Tests.TestSupport;

/// <summary>Writes bytes in the characters that stand for them in a vocabulary, as GPT-2's published program does.</summary>
internal static class GgufText
{
    private static readonly char[] Characters = Build();

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        char[] text = new char[bytes.Length];
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = Characters[bytes[i]];
        }

        return new string(text);
    }

    // bs = range('!'..'~') + range('¡'..'¬') + range('®'..'ÿ'); the bytes left out follow at 256 + n.
    private static char[] Build()
    {
        int[] visible = [.. Enumerable.Range('!', 94), .. Enumerable.Range('¡', 12), .. Enumerable.Range('®', 82)];
        char[] characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            characters[value] = (char)(visible.Contains(value) ? value : next++);
        }

        return characters;
    }
}
