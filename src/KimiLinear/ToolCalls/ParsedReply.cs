namespace KimiLinear.ToolCalls;

/// <summary>A whole reply, taken apart.</summary>
/// <param name="Text">All text for the reader, in order; empty if there is none.</param>
/// <param name="Calls">The whole calls, in order.</param>
/// <param name="CutCall">The call inside which the reply ended, or <see langword="null"/>.</param>
public sealed record ParsedReply(string Text, IReadOnlyList<ToolCall> Calls, ToolCall? CutCall);
