namespace KimiLinear.ToolCalls;

/// <summary>Splits text that arrives in pieces into markers and what lies between them, however the pieces are cut.</summary>
/// <remarks>
/// <see cref="Add"/>, then <see cref="TryRead"/> until it fails. At most the beginning of one marker is held back, so the work is
/// linear in the text.
/// </remarks>
/// <param name="spellings">What is a marker; none is the beginning of another.</param>
internal sealed class MarkerScanner(IReadOnlyList<MarkerSpelling> spellings)
{
    /// <summary>Every accepted spelling. None is the beginning of another.</summary>
    internal static readonly MarkerSpelling[] Spellings =
    [
        new(ToolCallMarkers.SectionBegin, ToolCallMarker.SectionBegin),
        new(ToolCallMarkers.SectionEnd, ToolCallMarker.SectionEnd),
        new(ToolCallMarkers.CallBegin, ToolCallMarker.CallBegin),
        new(ToolCallMarkers.ArgumentBegin, ToolCallMarker.ArgumentBegin),
        new(ToolCallMarkers.CallEnd, ToolCallMarker.CallEnd),
        new(ToolCallMarkers.SectionBeginSingular, ToolCallMarker.SectionBegin),
        new(ToolCallMarkers.SectionEndSingular, ToolCallMarker.SectionEnd),
    ];

    private string _text = "";
    private int _position;

    /// <summary>Appends text to what was held back.</summary>
    public void Add(string text)
    {
        _text = _text[_position..] + text;
        _position = 0;
    }

    /// <summary>The next stretch of plain text, or the next marker in the spelling met.</summary>
    /// <returns>Whether there was one; if not, what is left may be the beginning of a marker.</returns>
    public bool TryRead(out string text, out ToolCallMarker? marker)
    {
        int end = NextMarker(out int markerLength, out marker);
        if (end > _position)
        {
            marker = null;
            text = _text[_position..end];
            _position = end;
            return true;
        }

        text = _text.Substring(_position, markerLength);
        _position += markerLength;
        return marker is not null;
    }

    /// <summary>Takes what was held back; it is plain text after all.</summary>
    public string Release()
    {
        string held = _text[_position..];
        (_text, _position) = ("", 0);
        return held;
    }

    // Where the next marker starts, be it whole or only begun; the end of the text if there is none. Length 0: only begun.
    private int NextMarker(out int length, out ToolCallMarker? marker)
    {
        for (int start = _position; start < _text.Length; start++)
        {
            int open = _text.AsSpan(start).IndexOf('<');
            if (open < 0)
            {
                break;
            }

            start += open;
            ReadOnlySpan<char> rest = _text.AsSpan(start);
            foreach ((string spelling, ToolCallMarker spelled) in spellings)
            {
                if (rest.StartsWith(spelling, StringComparison.Ordinal))
                {
                    (length, marker) = (spelling.Length, spelled);
                    return start;
                }

                if (spelling.AsSpan().StartsWith(rest, StringComparison.Ordinal))
                {
                    (length, marker) = (0, null);
                    return start;
                }
            }
        }

        (length, marker) = (0, null);
        return _text.Length;
    }
}
