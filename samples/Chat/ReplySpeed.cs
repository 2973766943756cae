using System.Diagnostics;
using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>Times the last pass of a reply: the prompt until the first piece of text, then the rest.</summary>
/// <remarks>Every result of a tool starts a new pass, with a longer prompt.</remarks>
internal sealed class ReplySpeed
{
    private long _start = Stopwatch.GetTimestamp();
    private long _firstPiece;
    private UsageDetails? _usage;

    public void Observe(AIContent content)
    {
        switch (content)
        {
            case UsageContent usage:
                _usage = usage.Details;
                break;
            case FunctionResultContent:
                _start = Stopwatch.GetTimestamp();
                _firstPiece = 0;
                _usage = null;
                break;
            default:
                _firstPiece = _firstPiece == 0 ? Stopwatch.GetTimestamp() : _firstPiece;
                break;
        }
    }

    /// <summary>Gets a line such as <c>171 tokens read at 900/s, 13 written at 250/s</c>; empty when the client did not count.</summary>
    public override string ToString()
    {
        if (_usage is not { InputTokenCount: { } read, OutputTokenCount: { } written } || _firstPiece == 0)
        {
            return "";
        }

        double prefill = read / Stopwatch.GetElapsedTime(_start, _firstPiece).TotalSeconds;
        double decode = (written - 1) / Stopwatch.GetElapsedTime(_firstPiece).TotalSeconds;
        return $"{read} tokens read at {prefill:N0}/s, {written} written at {decode:N0}/s";
    }
}
