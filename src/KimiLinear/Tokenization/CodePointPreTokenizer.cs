namespace KimiLinear.Tokenization;

/// <summary>Cuts text into the pieces within which byte pairs may merge, exactly as the published pattern does.</summary>
/// <remarks>
/// The pattern needs Script=Han, set intersection and letters beyond U+FFFF, none of which .NET's regular expressions have.
/// Its alternatives, of which the first that matches wins:
/// <code>
/// [\p{Han}]+
/// [^\r\n\p{L}\p{N}]?[head]*[tail]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
/// [^\r\n\p{L}\p{N}]?[head]+[tail]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
/// \p{N}{1,3}
///  ?[^\s\p{L}\p{N}]+[\r\n]*
/// \s*[\r\n]+
/// \s+(?!\S)
/// \s+
/// </code>
/// where head is <c>[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&amp;&amp;[^\p{Han}]]</c> and tail is
/// <c>[\p{Ll}\p{Lm}\p{Lo}\p{M}&amp;&amp;[^\p{Han}]]</c>. Every alternative is scanned a fixed number of times
/// per piece, so the time is linear in the text.
/// </remarks>
internal ref struct CodePointPreTokenizer(ReadOnlySpan<char> text)
{
    private const int LongestNumberPiece = 3;
    private const int NoMatch = -1;

    private readonly ReadOnlySpan<char> _text = text;
    private int _end;

    /// <summary>Gets the piece last found, in UTF-16 units.</summary>
    public (int Offset, int Length) Current { get; private set; }

    public readonly CodePointPreTokenizer GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_end == _text.Length)
        {
            return false;
        }

        int start = _end;
        _end = FindEnd(start);
        Current = (start, _end - start);
        return true;
    }

    private readonly int FindEnd(int start)
    {
        CharacterClass first = CharacterClasses.At(_text, start, out int width);
        if (first.HasFlag(CharacterClass.Han))
        {
            return SkipWhile(CharacterClass.Han, start + width);
        }

        int end = FindWordEnd(start, first, width);
        if (end != NoMatch)
        {
            return end;
        }

        if (first.HasFlag(CharacterClass.Number))
        {
            return SkipWhile(CharacterClass.Number, start, LongestNumberPiece);
        }

        end = FindSymbolsEnd(start);
        return end != NoMatch ? end : FindSpacesEnd(start);
    }

    // Alternatives 2 and 3, each first with and then without a leading character that is neither letter, number nor line break.
    private readonly int FindWordEnd(int start, CharacterClass first, int firstWidth)
    {
        bool mayLead = (first & (CharacterClass.Letter | CharacterClass.Number | CharacterClass.LineBreak)) == 0;
        int end = mayLead ? FindTailedWordEnd(start + firstWidth) : NoMatch;
        if (end == NoMatch)
        {
            end = FindTailedWordEnd(start);
        }

        if (end == NoMatch && mayLead)
        {
            end = FindHeadedWordEnd(start + firstWidth);
        }

        if (end == NoMatch)
        {
            end = FindHeadedWordEnd(start);
        }

        return end == NoMatch ? NoMatch : end + ContractionLength(_text[end..]);
    }

    // [head]*[tail]+ : the head gives back what it must so that the tail has at least one character.
    private readonly int FindTailedWordEnd(int start)
    {
        int index = start;
        int lastTailEnd = NoMatch;
        while (index < _text.Length)
        {
            CharacterClass classes = CharacterClasses.At(_text, index, out int width);
            if (!classes.HasFlag(CharacterClass.WordHead))
            {
                return classes.HasFlag(CharacterClass.WordTail) ? SkipWhile(CharacterClass.WordTail, index) : lastTailEnd;
            }

            index += width;
            if (classes.HasFlag(CharacterClass.WordTail))
            {
                lastTailEnd = index;
            }
        }

        return lastTailEnd;
    }

    // [head]+[tail]*
    private readonly int FindHeadedWordEnd(int start)
    {
        int end = SkipWhile(CharacterClass.WordHead, start);
        return end == start ? NoMatch : SkipWhile(CharacterClass.WordTail, end);
    }

    private readonly int FindSymbolsEnd(int start)
    {
        int symbols = _text[start] == ' ' ? start + 1 : start;
        int end = symbols;
        while (end < _text.Length)
        {
            CharacterClass classes = CharacterClasses.At(_text, end, out int width);
            if ((classes & (CharacterClass.Space | CharacterClass.Letter | CharacterClass.Number)) != 0)
            {
                break;
            }

            end += width;
        }

        return end == symbols ? NoMatch : SkipWhile(CharacterClass.LineBreak, end);
    }

    // Spaces are all one UTF-16 unit wide.
    private readonly int FindSpacesEnd(int start)
    {
        int end = SkipWhile(CharacterClass.Space, start);
        int lastBreak = _text[start..end].LastIndexOfAny('\r', '\n');
        if (lastBreak >= 0)
        {
            return start + lastBreak + 1;
        }

        // The last space before a word stays with the word.
        return end == _text.Length || end - start == 1 ? end : end - 1;
    }

    private readonly int SkipWhile(CharacterClass wanted, int start, int maxCount = int.MaxValue)
    {
        int index = start;
        for (int count = 0; count < maxCount && index < _text.Length; count++)
        {
            if (!CharacterClasses.At(_text, index, out int width).HasFlag(wanted))
            {
                break;
            }

            index += width;
        }

        return index;
    }

    // (?i:'s|'t|'re|'ve|'m|'ll|'d)? ; the long s folds to s.
    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[0] != '\'')
        {
            return 0;
        }

        char second = text.Length > 2 ? text[2] : '\0';
        return (text[1], second) switch
        {
            ('s' or 'S' or '\u017F' or 't' or 'T' or 'm' or 'M' or 'd' or 'D', _) => 2,
            ('r' or 'R' or 'v' or 'V', 'e' or 'E') => 3,
            ('l' or 'L', 'l' or 'L') => 3,
            _ => 0,
        };
    }
}
