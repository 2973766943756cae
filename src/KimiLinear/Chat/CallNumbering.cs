using KimiLinear.ToolCalls;

namespace KimiLinear.Chat;

/// <summary>Gives the calls of a conversation ids of the form the model is trained on.</summary>
/// <remarks>
/// Ids of another form in the history make the model write worse calls. The form is that of <see cref="NativeCallId"/>, the index
/// rising from call to call through the whole conversation.
/// </remarks>
public static class CallNumbering
{
    /// <summary>Renumbers the calls, and with them the results that answer them.</summary>
    /// <remarks>
    /// An id that has the form already, names its own tool, and counts higher than all before it but below a million is kept, so
    /// the history keeps its numbers when its beginning is cut off or its end grows. Of several calls with one id, a result
    /// answers the first unanswered one in the latest group of calls; a result that answers no call keeps its id.
    /// </remarks>
    /// <param name="turns">The conversation, oldest turn first; not changed.</param>
    /// <returns>The conversation with other ids; turns in which nothing changed are the same instances.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="turns"/> is <see langword="null"/>.</exception>
    public static IReadOnlyList<ChatTurn> Renumber(IReadOnlyList<ChatTurn> turns)
    {
        ArgumentNullException.ThrowIfNull(turns);
        return new Walk().Renumber(turns);
    }

    /// <summary>
    /// The index for the next call: one more than the highest that the conversation holds before or after renumbering.
    /// </summary>
    /// <param name="turns">The conversation, oldest turn first, renumbered or not.</param>
    /// <returns>The index, 0 if there are no calls. An id made with it is new to the conversation.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="turns"/> is <see langword="null"/>.</exception>
    public static int NextCallIndex(IReadOnlyList<ChatTurn> turns)
    {
        ArgumentNullException.ThrowIfNull(turns);
        IEnumerable<string?> ids = turns.Concat(new Walk().Renumber(turns))
            .SelectMany(turn => turn.ToolCalls.Select(call => (string?)call.Id).Append(turn.ToolCallId));
        return ids.Select(id => NativeCallId.TryParse(id, out _, out int index) ? index + 1 : 0).DefaultIfEmpty().Max();
    }

    private sealed class Walk
    {
        // Higher ones are not counts; keeping them could leave no room to count on.
        private const int MaxKeptIndex = 999_999;

        private readonly Dictionary<string, Queue<string>> _unanswered = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> _latest = new(StringComparer.Ordinal);
        private int _nextIndex;
        private bool _isInCallGroup;

        public IReadOnlyList<ChatTurn> Renumber(IReadOnlyList<ChatTurn> turns) => [.. turns.Select(Renumber)];

        private ChatTurn Renumber(ChatTurn turn)
        {
            if (turn.ToolCalls.Count > 0)
            {
                return RenumberCalls(turn);
            }

            _isInCallGroup = false;
            return turn.ToolCallId is { } id && NewIdOf(id) is { } newId && newId != id ? turn with { ToolCallId = newId } : turn;
        }

        // Neighbouring turns with calls are one group: some clients write every call as a turn of its own.
        private ChatTurn RenumberCalls(ChatTurn turn)
        {
            if (!_isInCallGroup)
            {
                _unanswered.Clear();
                _isInCallGroup = true;
            }

            ToolCall[] calls = [.. turn.ToolCalls.Select(Renumber)];
            return calls.SequenceEqual(turn.ToolCalls) ? turn : turn with { ToolCalls = calls };
        }

        private ToolCall Renumber(ToolCall call)
        {
            bool isNative = NativeCallId.TryParse(call.Id, out string? name, out int index) && name == call.Name;
            bool isKept = isNative && index >= _nextIndex && index <= MaxKeptIndex;
            string newId = isKept ? call.Id : NativeCallId.Create(call.Name, _nextIndex);
            _nextIndex = (isKept ? index : _nextIndex) + 1;
            _latest[call.Id] = newId;
            if (!_unanswered.TryGetValue(call.Id, out Queue<string>? waiting))
            {
                _unanswered[call.Id] = waiting = new Queue<string>();
            }

            waiting.Enqueue(newId);
            return call with { Id = newId };
        }

        private string? NewIdOf(string id) =>
            _unanswered.TryGetValue(id, out Queue<string>? waiting) && waiting.TryDequeue(out string? newId)
                ? newId
                : _latest.GetValueOrDefault(id);
    }
}
