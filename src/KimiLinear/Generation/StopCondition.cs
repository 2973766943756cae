using System.Text;

namespace KimiLinear.Generation;

/// <summary>Watches the text of one reply for stop sequences and holds back what might become one.</summary>
/// <remarks>
/// The sequence that is complete first ends the text, and of those the longest, so that the result does not depend on how the
/// text is cut into tokens. Without stop sequences the text passes through untouched.
/// </remarks>
internal sealed class StopCondition(IEnumerable<string> stopSequences)
{
    private readonly StopMatcher[] _matchers = [.. stopSequences.Select(sequence => new StopMatcher(sequence))];
    private readonly StringBuilder _held = new();

    /// <summary>Gets a value indicating whether a stop sequence was found; nothing may be accepted after it.</summary>
    public bool IsReached { get; private set; }

    /// <summary>Takes the next piece of text and returns what may be shown now.</summary>
    public string Accept(string text)
    {
        if (_matchers.Length == 0)
        {
            return text;
        }

        int longest = 0;
        for (int i = 0; i < text.Length; i++)
        {
            longest = LongestMatch(text[i]);
            if (IsReached)
            {
                string shown = Take(text[..(i + 1)], longest);
                _held.Clear();
                return shown;
            }
        }

        return text.Length == 0 ? text : Take(text, longest);
    }

    /// <summary>
    /// Ends the text, or a stretch of it that no stop sequence reaches out of: returns what was held back and became none.
    /// </summary>
    public string Flush()
    {
        foreach (StopMatcher matcher in _matchers)
        {
            matcher.Reset();
        }

        string shown = _held.ToString();
        _held.Clear();
        return shown;
    }

    // Adds to what is held and takes out all but the end of it.
    private string Take(string text, int keptLength)
    {
        if (keptLength == 0 && _held.Length == 0)
        {
            return text;
        }

        _held.Append(text);
        string shown = _held.ToString(0, _held.Length - keptLength);
        _held.Remove(0, shown.Length);
        return shown;
    }

    // The longest sequence that is complete with this character, or else the longest beginning of one.
    private int LongestMatch(char next)
    {
        int longest = 0;
        foreach (StopMatcher matcher in _matchers)
        {
            matcher.Accept(next);
            if (matcher.IsComplete && !IsReached)
            {
                (IsReached, longest) = (true, 0);
            }

            if (matcher.IsComplete == IsReached)
            {
                longest = Math.Max(longest, matcher.MatchedLength);
            }
        }

        return longest;
    }
}
