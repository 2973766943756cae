using KimiLinear.Generation;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;
using FinishReason = KimiLinear.Generation.FinishReason;

namespace KimiLinear.Extensions.AI;

/// <summary>Reads a reply token by token: text to show, calls to keep, and how it ended.</summary>
internal sealed class ReplyReader(ChatRequest request, KimiTokenizer tokenizer, ReplyUpdates updates)
{
    private readonly ToolCallParser? _parser = request.Tools.Count > 0 ? new ToolCallParser(request.Tools, tokenizer) : null;
    private FinishReason? _reason;
    private bool _callWasCut;

    /// <summary>Tokens generated so far.</summary>
    public int TokenCount { get; private set; }

    public GenerationTimings? Timings { get; private set; }

    /// <summary>Whether nothing more is wanted.</summary>
    public bool IsComplete => request.StopAfterFirstCall && updates.CallCount > 0;

    public ChatFinishReason FinishReason
    {
        get
        {
            bool wasCut = _reason is Generation.FinishReason.MaxTokens or Generation.FinishReason.ContextLimit;
            if (updates.CallCount > 0 && !_callWasCut)
            {
                return ChatFinishReason.ToolCalls;
            }

            return wasCut ? ChatFinishReason.Length : ChatFinishReason.Stop;
        }
    }

    /// <summary>Takes a token in and returns the text that may be shown now.</summary>
    public string Read(GeneratedToken token)
    {
        TokenCount++;
        _reason = token.FinishReason ?? _reason;
        Timings = token.Timings ?? Timings;
        return _parser is null ? token.Text : Handle(_parser.Append(token.Id, token.Text));
    }

    /// <summary>Returns the text that was held back until the end.</summary>
    public string Complete() => _parser is null ? "" : Handle(_parser.Complete());

    private string Handle(IReadOnlyList<ToolCallEvent> events)
    {
        string text = "";
        foreach (ToolCallEvent happened in events)
        {
            switch (happened.Kind)
            {
                case ToolCallEventKind.Text:
                    text += happened.Text;
                    break;
                case ToolCallEventKind.CallCompleted when request.MayCall && !IsComplete:
                    updates.Add(happened.Call!);
                    break;
                case ToolCallEventKind.CallCut when request.MayCall:
                    text += EndUnfinished(happened.Call!);
                    break;
            }
        }

        return text;
    }

    // A limit cut the call: it is dropped, and the finish reason says so. The model itself left off: what it wrote is reported as
    // a call whose arguments do not parse, or as text if it named no function.
    private string EndUnfinished(ToolCall call)
    {
        if (_reason != Generation.FinishReason.EndOfText)
        {
            _callWasCut = true;
            return "";
        }

        if (call.Name.Length == 0)
        {
            return ToolCallMarkers.CallBegin + call.Id + ToolCallMarkers.ArgumentBegin + call.Arguments;
        }

        updates.Add(call);
        return "";
    }
}
