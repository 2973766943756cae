using System.Globalization;

namespace KimiLinear.Tokenization;

/// <summary>Reads code points out of UTF-16 text and tells their classes.</summary>
internal static class CharacterClasses
{
    // One byte for each UTF-16 unit. Lone surrogates are in no class, like U+FFFD, as which they are encoded.
    private static readonly CharacterClass[] OfUnit = [.. Enumerable.Range(0, 0x10000).Select(Classify)];

    /// <summary>Gets the classes of the code point at <paramref name="index"/> and its width in UTF-16 units.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int index, out int width)
    {
        char unit = text[index];
        if (IsPairAt(text, index))
        {
            width = 2;
            return Classify(char.ConvertToUtf32(unit, text[index + 1]));
        }

        width = 1;
        return OfUnit[unit];
    }

    /// <summary>Tells whether a surrogate pair, one code point in two units, begins at <paramref name="index"/>.</summary>
    public static bool IsPairAt(ReadOnlySpan<char> text, int index) =>
        char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]);

    private static CharacterClass Classify(int codePoint)
    {
        bool han = HanScript.Contains(codePoint);
        CharacterClass classes = han ? CharacterClass.Han : CharacterClass.None;
        CharacterClass head = han ? CharacterClass.None : CharacterClass.WordHead;
        CharacterClass tail = han ? CharacterClass.None : CharacterClass.WordTail;
        switch (CharUnicodeInfo.GetUnicodeCategory(codePoint))
        {
            case UnicodeCategory.UppercaseLetter:
            case UnicodeCategory.TitlecaseLetter:
                return classes | CharacterClass.Letter | head;
            case UnicodeCategory.LowercaseLetter:
                return classes | CharacterClass.Letter | tail;
            case UnicodeCategory.ModifierLetter:
            case UnicodeCategory.OtherLetter:
                return classes | CharacterClass.Letter | head | tail;
            case UnicodeCategory.NonSpacingMark:
            case UnicodeCategory.SpacingCombiningMark:
            case UnicodeCategory.EnclosingMark:
                return classes | head | tail;
            case UnicodeCategory.DecimalDigitNumber:
            case UnicodeCategory.LetterNumber:
            case UnicodeCategory.OtherNumber:
                return classes | CharacterClass.Number;
            case UnicodeCategory.SpaceSeparator:
            case UnicodeCategory.LineSeparator:
            case UnicodeCategory.ParagraphSeparator:
                return classes | CharacterClass.Space;
            default:
                return codePoint switch
                {
                    '\r' or '\n' => CharacterClass.Space | CharacterClass.LineBreak,
                    '\t' or '\v' or '\f' or '\u0085' => CharacterClass.Space,
                    _ => classes,
                };
        }
    }
}
