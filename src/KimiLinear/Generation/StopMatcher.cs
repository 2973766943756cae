namespace KimiLinear.Generation;

/// <summary>Finds one stop sequence in a stream of characters, in constant time per character on average.</summary>
internal sealed class StopMatcher
{
    private readonly string _sequence;

    // For each count of matched characters, the length of their longest proper suffix that also begins the sequence
    // (Knuth, Morris and Pratt).
    private readonly int[] _fallback;

    public StopMatcher(string sequence)
    {
        _sequence = sequence;
        _fallback = new int[sequence.Length + 1];
        for (int length = 2; length <= sequence.Length; length++)
        {
            _fallback[length] = Extend(_fallback[length - 1], sequence[length - 1]);
        }
    }

    /// <summary>Gets how many characters at the end of the stream begin the sequence, or are all of it.</summary>
    public int MatchedLength { get; private set; }

    /// <summary>Gets a value indicating whether the stream ends with the sequence.</summary>
    public bool IsComplete => MatchedLength == _sequence.Length;

    /// <summary>Takes the next character.</summary>
    public void Accept(char next) => MatchedLength = Extend(IsComplete ? _fallback[MatchedLength] : MatchedLength, next);

    /// <summary>Forgets the stream so far.</summary>
    public void Reset() => MatchedLength = 0;

    private int Extend(int matched, char next)
    {
        while (matched > 0 && _sequence[matched] != next)
        {
            matched = _fallback[matched];
        }

        return _sequence[matched] == next ? matched + 1 : 0;
    }
}
