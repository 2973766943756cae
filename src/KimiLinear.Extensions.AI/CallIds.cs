using KimiLinear.Chat;
using KimiLinear.ToolCalls;

namespace KimiLinear.Extensions.AI;

/// <summary>Gives the calls of a reply ids of the trained form that no other call of the conversation has.</summary>
internal sealed class CallIds(IReadOnlyList<ChatTurn> history)
{
    private readonly HashSet<string> _taken =
    [
        .. history.SelectMany(turn => turn.ToolCalls).Select(call => call.Id),
        .. history.Select(turn => turn.ToolCallId).OfType<string>(),
    ];

    private int _next = CallNumbering.NextCallIndex(history);

    /// <summary>The id for a call: what the model wrote, if it is of the right form and goes on from the history.</summary>
    public string Assign(ToolCall call)
    {
        if (NativeCallId.TryParse(call.Id, out _, out int index) && index >= _next)
        {
            _next = index;
        }

        string id;
        do
        {
            id = NativeCallId.Create(call.Name, _next++);
        }
        while (!_taken.Add(id));

        return id;
    }
}
