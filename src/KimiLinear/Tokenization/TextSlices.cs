namespace KimiLinear.Tokenization;

/// <summary>Cuts very long texts where the published tokenizer cuts them, so that its ids are met there too.</summary>
/// <remarks>
/// Blocks of 400,000 code points are encoded on their own, and within a block no run of white space, or of anything else,
/// is longer than 25,000 code points. Shorter texts are one slice.
/// </remarks>
internal ref struct TextSlices(ReadOnlySpan<char> text)
{
    private const int MaxBlockCodePoints = 400_000;
    private const int MaxRunCodePoints = 25_000;

    private readonly ReadOnlySpan<char> _text = text;
    private int _end;
    private int _blockCodePoints;
    private int _runCodePoints;
    private bool _runIsSpace;

    /// <summary>Gets the slice last found, in UTF-16 units.</summary>
    public (int Offset, int Length) Current { get; private set; }

    public readonly TextSlices GetEnumerator() => this;

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

    private int FindEnd(int start)
    {
        if (_text.Length <= MaxRunCodePoints)
        {
            return _text.Length;
        }

        int index = start;
        while (index < _text.Length)
        {
            if (_blockCodePoints == MaxBlockCodePoints)
            {
                _blockCodePoints = 0;
                _runCodePoints = 0;
                return index;
            }

            bool isSpace = IsSpace(_text[index]);
            if (isSpace != _runIsSpace)
            {
                _runIsSpace = isSpace;
                _runCodePoints = 0;
            }
            else if (_runCodePoints == MaxRunCodePoints)
            {
                _runCodePoints = 0;
                return index;
            }

            _runCodePoints++;
            _blockCodePoints++;
            index += CharacterClasses.IsPairAt(_text, index) ? 2 : 1;
        }

        return index;
    }

    // Python's str.isspace: White_Space and the four information separators.
    private static bool IsSpace(char unit) => char.IsWhiteSpace(unit) || unit is >= '\u001C' and <= '\u001F';
}
