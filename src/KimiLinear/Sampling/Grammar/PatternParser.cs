using System.Globalization;

namespace KimiLinear.Sampling;

/// <summary>
/// Reads a regular expression of JSON Schema, which is ECMAScript's: characters, classes, groups, alternatives, quantifiers and
/// anchors. Look-around, back references, word boundaries and Unicode properties are not among what it reads.
/// </summary>
internal sealed class PatternParser
{
    private const int MaxDepth = 100;
    private const int MaxCount = 1000;

    private static readonly CodePointSet Digits = CodePointSet.Of(new CodePointRange('0', '9'));
    private static readonly CodePointSet WordCharacters =
        Digits.Union(CodePointSet.OfCharacters("_")).Union(
            CodePointSet.Of(new CodePointRange('a', 'z'), new CodePointRange('A', 'Z')));

    private static readonly CodePointSet Spaces =
        CodePointSet.OfCharacters("\t\n\v\f\r \u00A0\u1680\u2028\u2029\u202F\u205F\u3000\uFEFF").Union(
            CodePointSet.Of(new CodePointRange(0x2000, 0x200A)));

    private static readonly CodePointSet NotLineEnds = CodePointSet.OfCharacters("\n\r\u2028\u2029").Complement();

    private readonly string _pattern;
    private int _position;
    private int _depth;

    private PatternParser(string pattern)
    {
        _pattern = pattern;
    }

    private bool IsAtEnd => _position == _pattern.Length;

    /// <summary>Reads a pattern; <see langword="null"/> if it is malformed or uses what is not supported.</summary>
    public static PatternNode? TryParse(string pattern)
    {
        PatternParser parser = new(pattern);
        try
        {
            PatternNode result = parser.ReadChoice();
            return parser.IsAtEnd ? result : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private PatternNode ReadChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Unsupported();
        }

        List<PatternNode> options = [ReadSequence()];
        while (TryTake('|'))
        {
            options.Add(ReadSequence());
        }

        _depth--;
        return options.Count == 1 ? options[0] : new PatternNode.Choice(options);
    }

    private PatternNode.Sequence ReadSequence()
    {
        List<PatternNode> parts = [];
        while (!IsAtEnd && _pattern[_position] is not ('|' or ')'))
        {
            PatternNode atom = ReadAtom();
            parts.Add(atom is PatternNode.Start or PatternNode.End ? atom : ReadQuantifier(atom));
        }

        return new PatternNode.Sequence(parts);
    }

    private PatternNode ReadAtom()
    {
        int character = Take();
        return character switch
        {
            '^' => new PatternNode.Start(),
            '$' => new PatternNode.End(),
            '.' => new PatternNode.OneOf(NotLineEnds),
            '(' => ReadGroup(),
            '[' => new PatternNode.OneOf(ReadClass()),
            '\\' => new PatternNode.OneOf(ReadEscape(isInClass: false)),
            '*' or '+' or '?' => throw Unsupported(),
            _ => new PatternNode.OneOf(Single(character)),
        };
    }

    private PatternNode ReadGroup()
    {
        if (TryTake('?') && !TryTake(':'))
        {
            Require('<');
            if (!IsAtEnd && _pattern[_position] is '=' or '!')
            {
                throw Unsupported();
            }

            while (Take() != '>')
            {
            }
        }

        PatternNode inner = ReadChoice();
        Require(')');
        return inner;
    }

    private PatternNode ReadQuantifier(PatternNode item)
    {
        int minimum, maximum = -1;
        if (TryTake('*'))
        {
            minimum = 0;
        }
        else if (TryTake('+'))
        {
            minimum = 1;
        }
        else if (TryTake('?'))
        {
            (minimum, maximum) = (0, 1);
        }
        else if (!TryReadCounts(out minimum, out maximum))
        {
            return item;
        }

        // Whether it is lazy decides what a group captures, not which texts match.
        TryTake('?');
        return new PatternNode.Repeat(item, minimum, maximum);
    }

    // A brace that begins no quantifier is itself.
    private bool TryReadCounts(out int minimum, out int maximum)
    {
        (minimum, maximum) = (0, -1);
        int start = _position;
        if (!TryTake('{') || !TryReadNumber(out minimum))
        {
            _position = start;
            return false;
        }

        maximum = minimum;
        if (TryTake(',') && !TryReadNumber(out maximum))
        {
            maximum = -1;
        }

        if (!TryTake('}'))
        {
            _position = start;
            return false;
        }

        return maximum < 0 || minimum <= maximum ? true : throw Unsupported();
    }

    private bool TryReadNumber(out int number)
    {
        int start = _position;
        while (!IsAtEnd && char.IsAsciiDigit(_pattern[_position]))
        {
            _position++;
        }

        // A count too large for an int is a count all the same.
        bool isRead = int.TryParse(_pattern.AsSpan(start.._position), CultureInfo.InvariantCulture, out number);
        return number > MaxCount || (!isRead && _position > start) ? throw Unsupported() : isRead;
    }

    private CodePointSet ReadClass()
    {
        bool isNegated = TryTake('^');
        List<CodePointRange> ranges = [];
        while (!TryTake(']'))
        {
            CodePointSet first = ReadClassItem();
            bool isRange = _position + 1 < _pattern.Length && _pattern[_position] == '-' && _pattern[_position + 1] != ']';
            if (isRange && IsSingle(first))
            {
                _position++;
                CodePointSet last = ReadClassItem();
                if (!IsSingle(last) || last.Ranges[0].First < first.Ranges[0].First)
                {
                    throw Unsupported();
                }

                first = CodePointSet.Of(new CodePointRange(first.Ranges[0].First, last.Ranges[0].First));
            }

            ranges.AddRange(first.Ranges);
        }

        CodePointSet set = CodePointSet.Of(ranges);
        return isNegated ? set.Complement() : set;
    }

    private CodePointSet ReadClassItem()
    {
        int character = Take();
        return character == '\\' ? ReadEscape(isInClass: true) : Single(character);
    }

    private CodePointSet ReadEscape(bool isInClass)
    {
        int character = Take();
        return character switch
        {
            'd' => Digits,
            'D' => Digits.Complement(),
            'w' => WordCharacters,
            'W' => WordCharacters.Complement(),
            's' => Spaces,
            'S' => Spaces.Complement(),
            'n' => Single('\n'),
            'r' => Single('\r'),
            't' => Single('\t'),
            'v' => Single('\v'),
            'f' => Single('\f'),
            'b' when isInClass => Single('\b'),
            '0' when IsAtEnd || !char.IsAsciiDigit(_pattern[_position]) => Single('\0'),
            'x' => Single(ReadHex(2)),
            'u' => Single(ReadUnicode()),
            _ when character > 0x7F || char.IsAsciiLetterOrDigit((char)character) => throw Unsupported(),
            _ => Single(character),
        };
    }

    private int ReadUnicode()
    {
        if (TryTake('{'))
        {
            int end = _pattern.IndexOf('}', _position);
            int value = end < 0 ? throw Unsupported() : ReadHex(end - _position);
            _position++;
            return value;
        }

        int first = ReadHex(4);
        if (char.IsHighSurrogate((char)first) && TryTake('\\') && TryTake('u'))
        {
            int second = ReadHex(4);
            return char.IsLowSurrogate((char)second)
                ? char.ConvertToUtf32((char)first, (char)second)
                : throw Unsupported();
        }

        return first;
    }

    private int ReadHex(int length)
    {
        if (length is 0 or > 6 || _position + length > _pattern.Length)
        {
            throw Unsupported();
        }

        ReadOnlySpan<char> digits = _pattern.AsSpan(_position, length);
        _position += length;
        return int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw Unsupported();
    }

    private static CodePointSet Single(int codePoint)
    {
        CodePointSet set = CodePointSet.Of(new CodePointRange(codePoint, codePoint));
        return set.IsEmpty || codePoint > 0x10FFFF ? throw Unsupported() : set;
    }

    private static bool IsSingle(CodePointSet set) => set.Ranges is [var range] && range.First == range.Last;

    private int Take()
    {
        if (IsAtEnd)
        {
            throw Unsupported();
        }

        bool isPair = char.IsHighSurrogate(_pattern[_position]) && _position + 1 < _pattern.Length
            && char.IsLowSurrogate(_pattern[_position + 1]);
        int codePoint = isPair ? char.ConvertToUtf32(_pattern, _position) : _pattern[_position];
        _position += isPair ? 2 : 1;
        return codePoint;
    }

    private bool TryTake(char wanted)
    {
        if (IsAtEnd || _pattern[_position] != wanted)
        {
            return false;
        }

        _position++;
        return true;
    }

    private void Require(char wanted)
    {
        if (!TryTake(wanted))
        {
            throw Unsupported();
        }
    }

    private static FormatException Unsupported() => new();
}
