using System.Text;
using KimiLinear.Tokenization;

namespace KimiLinear.ToolCalls;

/// <summary>Takes one reply of the model apart while it arrives: text for the reader, and calls of tools.</summary>
/// <remarks>
/// <para>
/// The result does not depend on how the reply is cut into pieces, the work is linear in its length, and nothing that the model
/// writes makes the parser throw. One instance reads one reply; it is not safe for concurrent use. The lists that
/// <see cref="Append(string)"/> and <see cref="Complete"/> return are reused: each is valid until the next call.
/// </para>
/// <para>
/// Tolerated: a call without a section around it; a call that is not closed; <c>section</c> markers in the singular; ids without
/// prefix or index or of a foreign form; arguments that are no JSON. Text inside a section but outside its calls is dropped, and
/// so are white space alone after a section and markers out of place. A call whose tool cannot be told comes back as text,
/// markers included.
/// </para>
/// <para>
/// With a tokenizer, tokens are markers and text is text: what ordinary tokens spell is never a marker that has a token of its
/// own, and nothing in arguments is one. Without, every marker that the text spells counts.
/// </para>
/// </remarks>
public sealed class ToolCallParser
{
    private readonly ToolNameResolver _resolver;
    private readonly Dictionary<int, MarkerSpelling> _markersById;
    private readonly MarkerScanner _scanner;
    private readonly bool _endsCallsById;
    private readonly List<ToolCallEvent> _events = [];
    private readonly StringBuilder _header = new();
    private readonly StringBuilder _arguments = new();
    private readonly StringBuilder _heldSpace = new();
    private Place _place;
    private bool _isInSection;
    private bool _followsCall;
    private bool _hasArgumentMarker;
    private bool _isComplete;
    private string? _name;
    private int _callIndex;

    /// <summary>Initializes a new instance of the <see cref="ToolCallParser"/> class.</summary>
    /// <param name="tools">The tools that were declared to the model; of several with the same name the first counts.</param>
    /// <param name="tokenizer">
    /// The tokenizer that knows the markers' ids; <see langword="null"/> if only text will be appended.
    /// </param>
    /// <exception cref="ArgumentNullException"><paramref name="tools"/> is <see langword="null"/>.</exception>
    public ToolCallParser(IReadOnlyList<ToolDeclaration> tools, KimiTokenizer? tokenizer = null)
        : this(tools, MarkersById(tokenizer))
    {
    }

    internal ToolCallParser(IReadOnlyList<ToolDeclaration> tools, Dictionary<int, MarkerSpelling> markersById)
    {
        ArgumentNullException.ThrowIfNull(tools);
        _resolver = new ToolNameResolver(tools);
        _markersById = markersById;
        _endsCallsById = markersById.Values.Any(spelling => spelling.Marker == ToolCallMarker.CallEnd);
        _scanner = new MarkerScanner([.. MarkerScanner.Spellings.Where(spelling => !markersById.ContainsValue(spelling))]);
    }

    private enum Place
    {
        OutsideCall,
        Header,
        Arguments,
    }

    /// <summary>Takes a whole reply apart.</summary>
    /// <param name="reply">The reply, the text of its markers included.</param>
    /// <param name="tools">The tools that were declared to the model.</param>
    /// <returns>Its text and its calls.</returns>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    public static ParsedReply Parse(string reply, IReadOnlyList<ToolDeclaration> tools)
    {
        ToolCallParser parser = new(tools);
        List<ToolCallEvent> events = [.. parser.Append(reply)];
        events.AddRange(parser.Complete());
        return new ParsedReply(
            string.Concat(events.Where(found => found.Kind == ToolCallEventKind.Text).Select(found => found.Text)),
            [.. events.Where(found => found.Kind == ToolCallEventKind.CallCompleted).Select(found => found.Call!)],
            events.Find(found => found.Kind == ToolCallEventKind.CallCut).Call);
    }

    /// <summary>Reads the next piece of the reply.</summary>
    /// <param name="text">The piece, of any length; markers may be split between pieces.</param>
    /// <returns>What can be told now, in order; valid until the next call.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="InvalidOperationException">The reply was completed.</exception>
    public IReadOnlyList<ToolCallEvent> Append(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Begin();
        Scan(text);
        return _events;
    }

    /// <summary>Reads the next token of the reply. A token that is a marker is recognised by its id.</summary>
    /// <param name="tokenId">The token.</param>
    /// <param name="text">
    /// The text that became certain with this token, as a generator or an incremental detokenizer gives it; for a marker, with or
    /// without the marker itself.
    /// </param>
    /// <returns>What can be told now, in order; valid until the next call.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="InvalidOperationException">The reply was completed.</exception>
    public IReadOnlyList<ToolCallEvent> Append(int tokenId, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!_markersById.TryGetValue(tokenId, out MarkerSpelling marker))
        {
            return Append(text);
        }

        Begin();
        Scan(text.EndsWith(marker.Text, StringComparison.Ordinal) ? text[..^marker.Text.Length] : text);
        AcceptText(_scanner.Release());
        AcceptMarker(marker.Marker, marker.Text);
        return _events;
    }

    /// <summary>
    /// Ends the reply: gives out text that was held back, and the call inside which the reply ended, if it did.
    /// </summary>
    /// <remarks>
    /// A call whose arguments are a whole JSON object counts as completed, even if the reply ended before the call was closed.
    /// </remarks>
    /// <returns>What remained, in order.</returns>
    /// <exception cref="InvalidOperationException">The reply was completed before.</exception>
    public IReadOnlyList<ToolCallEvent> Complete()
    {
        Begin();
        _isComplete = true;
        string held = _scanner.Release();
        switch (_place)
        {
            case Place.OutsideCall:
                AcceptText(held);
                break;
            case Place.Header:
                CutHeader();
                break;
            case Place.Arguments when ArgumentObject.TryParse(_arguments.ToString()) is not null:
                FinishCall("");
                break;
            default:
                Report(ToolCallEventKind.CallCut, new ToolCall(Id(), _name ?? "", _arguments.ToString().Trim()));
                break;
        }

        return _events;
    }

    private static Dictionary<int, MarkerSpelling> MarkersById(KimiTokenizer? tokenizer)
    {
        Dictionary<int, MarkerSpelling> markers = [];
        foreach (MarkerSpelling spelling in MarkerScanner.Spellings)
        {
            if (tokenizer is not null && tokenizer.TryGetSpecialTokenId(spelling.Text, out int id))
            {
                markers.Add(id, spelling);
            }
        }

        return markers;
    }

    private void Begin()
    {
        if (_isComplete)
        {
            throw new InvalidOperationException("The reply was completed. Use a new ToolCallParser for the next reply.");
        }

        _events.Clear();
    }

    private void Scan(string text)
    {
        _scanner.Add(text);
        while (_scanner.TryRead(out string piece, out ToolCallMarker? marker))
        {
            // Arguments end with a token where there is one; what they spell is theirs.
            if (marker is { } found && !(_place == Place.Arguments && _endsCallsById))
            {
                AcceptMarker(found, piece);
            }
            else
            {
                AcceptText(piece);
            }
        }
    }

    private void AcceptText(string text)
    {
        switch (_place)
        {
            case Place.Header:
                _header.Append(text);
                break;
            case Place.Arguments:
                AppendArguments(text);
                break;
            case Place.OutsideCall when !_isInSection:
                ShowText(text);
                break;
        }
    }

    private void AcceptMarker(ToolCallMarker marker, string spelling)
    {
        switch (_place)
        {
            case Place.Header when marker == ToolCallMarker.ArgumentBegin:
                BeginArguments(hasMarker: true);
                return;
            case Place.Header when marker is ToolCallMarker.CallEnd or ToolCallMarker.SectionEnd:
                BeginArguments(hasMarker: false);
                FinishCall(marker == ToolCallMarker.CallEnd ? spelling : "");
                break;
            case Place.Header:
                GiveUpHeader();
                break;
            case Place.Arguments when marker == ToolCallMarker.ArgumentBegin:
                AppendArguments(spelling);
                return;
            case Place.Arguments:
                FinishCall(marker == ToolCallMarker.CallEnd ? spelling : "");
                break;
        }

        switch (marker)
        {
            case ToolCallMarker.SectionBegin:
                _isInSection = true;
                _heldSpace.Clear();
                break;
            case ToolCallMarker.SectionEnd:
                _isInSection = false;
                _followsCall = true;
                break;
            case ToolCallMarker.CallBegin:
                _place = Place.Header;
                _header.Clear();
                _heldSpace.Clear();
                break;
        }
    }

    private void BeginArguments(bool hasMarker)
    {
        _place = Place.Arguments;
        _hasArgumentMarker = hasMarker;
        _arguments.Clear();
        _name = _resolver.FromId(_header.ToString());
        if (_name is not null)
        {
            Report(ToolCallEventKind.CallStarted, new ToolCall(Id(), _name, ""));
        }
    }

    // Arguments are streamed without the white space around them, so white space waits until it is known to be inside.
    private void AppendArguments(string text)
    {
        if (_name is null)
        {
            _arguments.Append(text);
            return;
        }

        string body = _arguments.Length == 0 ? text.TrimStart() : text;
        string delta = body.TrimEnd();
        if (delta.Length > 0)
        {
            string spaced = TakeHeldSpace() + delta;
            _arguments.Append(spaced);
            _events.Add(new ToolCallEvent(ToolCallEventKind.Arguments, _callIndex, spaced, null));
        }

        _heldSpace.Append(body, delta.Length, body.Length - delta.Length);
    }

    private void FinishCall(string closing)
    {
        LeaveCall();
        string written = _arguments.ToString();
        string arguments = written.Trim();
        if (_name is null)
        {
            if (_resolver.FromArguments(Id(), arguments) is not { } resolved)
            {
                string separator = _hasArgumentMarker ? ToolCallMarkers.ArgumentBegin : "";
                ShowText(ToolCallMarkers.CallBegin + _header + separator + written + closing);
                _followsCall = true;
                return;
            }

            (_name, written, arguments) = (resolved.Name, "", resolved.Arguments);
            Report(ToolCallEventKind.CallStarted, new ToolCall(Id(), _name, ""));
        }

        arguments = arguments.Length == 0 ? "{}" : arguments;
        if (written.Length == 0)
        {
            _events.Add(new ToolCallEvent(ToolCallEventKind.Arguments, _callIndex, arguments, null));
        }

        Report(ToolCallEventKind.CallCompleted, new ToolCall(Id(), _name, arguments));
        _callIndex++;
    }

    // A call was begun inside this one's id: it is none.
    private void GiveUpHeader()
    {
        LeaveCall();
        if (Id().Length > 0)
        {
            ShowText(ToolCallMarkers.CallBegin + _header);
            _followsCall = true;
        }
    }

    // An id has no white space inside; what does was never meant as a call.
    private void CutHeader()
    {
        string id = Id();
        if (id.Any(char.IsWhiteSpace))
        {
            GiveUpHeader();
        }
        else if (id.Length > 0)
        {
            Report(ToolCallEventKind.CallCut, new ToolCall(id, "", ""));
        }
    }

    private void LeaveCall()
    {
        _place = Place.OutsideCall;
        _followsCall = true;
        _heldSpace.Clear();
    }

    // After a call white space alone is not worth showing, so it waits for other text.
    private void ShowText(string text)
    {
        if (_followsCall && string.IsNullOrWhiteSpace(text))
        {
            _heldSpace.Append(text);
            return;
        }

        if (text.Length > 0)
        {
            _events.Add(new ToolCallEvent(ToolCallEventKind.Text, -1, TakeHeldSpace() + text, null));
            _followsCall = false;
        }
    }

    private string TakeHeldSpace()
    {
        if (_heldSpace.Length == 0)
        {
            return "";
        }

        string space = _heldSpace.ToString();
        _heldSpace.Clear();
        return space;
    }

    private string Id() => _header.ToString().Trim();

    private void Report(ToolCallEventKind kind, ToolCall call) => _events.Add(new ToolCallEvent(kind, _callIndex, "", call));
}
