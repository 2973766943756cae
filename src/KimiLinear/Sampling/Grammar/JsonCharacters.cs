using System.Text;

namespace KimiLinear.Sampling;

/// <summary>How characters are spelled inside a JSON string, in UTF-8.</summary>
internal static class JsonCharacters
{
    private const string ShortEscapes = "\"\\\b\f\n\r\t";
    private const string ShortLetters = "\"\\bfnrt";
    private const int FirstUnescaped = 0x20;

    // The last code point of one, two, three and four bytes.
    private static readonly int[] LastOfLength = [0x7F, 0x7FF, 0xFFFF, 0x10FFFF];

    /// <summary>Returns one character in any spelling that JSON has for it.</summary>
    /// <remarks>Halves of surrogate pairs are never alone: an escaped pair is one character.</remarks>
    public static GrammarNode Any(GrammarNodes nodes)
    {
        GrammarNode digit = Ascii(nodes, "0123456789abcdefABCDEF");
        GrammarNode Hex(string first, string second) => Join(
            nodes, nodes.Byte((byte)'u'), Ascii(nodes, first), Ascii(nodes, second), digit, digit);

        GrammarNode pair = Join(
            nodes, Hex("dD", "89abAB"), nodes.Byte((byte)'\\'), Hex("dD", "cdefCDEF"));
        GrammarNode escape = nodes.Either(
        [
            Ascii(nodes, ShortLetters + "/"),
            Hex("0123456789abcefABCEF", "0123456789abcdefABCDEF"),
            Hex("dD", "01234567"),
            pair,
        ]);

        CodePointSet special = CodePointSet.OfCharacters("\"\\")
            .Union(CodePointSet.Of(new CodePointRange(0, FirstUnescaped - 1)));
        return nodes.Either(Spell(nodes, special.Complement()), Join(nodes, nodes.Byte((byte)'\\'), escape));
    }

    /// <summary>Returns one character of a set in its canonical spelling: escaped only where it must be, and then shortly.</summary>
    public static GrammarNode Spell(GrammarNodes nodes, CodePointSet set)
    {
        List<GrammarNode> options = [];
        foreach (CodePointRange range in set.Ranges)
        {
            int next = range.First;
            for (; next <= range.Last && next <= '\\'; next++)
            {
                options.Add(SpellAscii(nodes, (char)next));
            }

            AddUtf8(nodes, options, next, range.Last);
        }

        GrammarNode[] bytes = [.. options.Where(option => option.Kind == GrammarNodeKind.Bytes)];
        ByteSet single = bytes.Aggregate(default(ByteSet), (sum, option) => sum.Union(option.Set));
        IEnumerable<GrammarNode> others = options.Where(option => option.Kind != GrammarNodeKind.Bytes);
        return nodes.Either(bytes.Length == 0 ? others : others.Append(nodes.Bytes(single)));
    }

    /// <summary>Returns the canonical spelling of a text without the quotes around it.</summary>
    public static byte[] Spell(string text)
    {
        StringBuilder spelled = new();
        foreach (char character in text)
        {
            spelled.Append(NeedsEscape(character) ? Escape(character) : character.ToString());
        }

        return Encoding.UTF8.GetBytes(spelled.ToString());
    }

    private static bool NeedsEscape(char character) => character is < (char)FirstUnescaped or '"' or '\\';

    private static string Escape(char character)
    {
        int index = ShortEscapes.IndexOf(character, StringComparison.Ordinal);
        return index >= 0 ? $"\\{ShortLetters[index]}" : $"\\u{(int)character:x4}";
    }

    private static GrammarNode SpellAscii(GrammarNodes nodes, char character) => NeedsEscape(character)
        ? Join(nodes, [.. Escape(character).Select(part => nodes.Byte((byte)part))])
        : nodes.Byte((byte)character);

    // A range is cut until the encodings of its ends span all encodings between them, byte by byte.
    private static void AddUtf8(GrammarNodes nodes, List<GrammarNode> options, int first, int last)
    {
        if (first > last)
        {
            return;
        }

        foreach (int end in LastOfLength)
        {
            if (first <= end && last > end)
            {
                AddUtf8(nodes, options, first, end);
                AddUtf8(nodes, options, end + 1, last);
                return;
            }
        }

        for (int mask = 0x3F; first > LastOfLength[0] && mask < last; mask = (mask << 6) | 0x3F)
        {
            if ((first & ~mask) == (last & ~mask))
            {
                break;
            }

            int cut = (first & mask) != 0 ? first | mask : (last & mask) != mask ? (last & ~mask) - 1 : -1;
            if (cut >= 0)
            {
                AddUtf8(nodes, options, first, cut);
                AddUtf8(nodes, options, cut + 1, last);
                return;
            }
        }

        byte[] from = Encode(first), to = Encode(last);
        options.Add(Join(nodes, [.. from.Zip(to, (low, high) => nodes.Bytes(ByteSet.Range(low, high)))]));
    }

    private static byte[] Encode(int codePoint) => Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint));

    private static GrammarNode Ascii(GrammarNodes nodes, string characters) =>
        nodes.Bytes(characters.Aggregate(default(ByteSet), (set, character) => set.With(character)));

    private static GrammarNode Join(GrammarNodes nodes, params GrammarNode[] parts) =>
        parts.Reverse().Aggregate(nodes.End, (rest, part) => nodes.Then(part, rest));
}
