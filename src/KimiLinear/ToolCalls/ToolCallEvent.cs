namespace KimiLinear.ToolCalls;

/// <summary>One thing a <see cref="ToolCallParser"/> found in a reply.</summary>
/// <param name="Kind">What was found.</param>
/// <param name="CallIndex">
/// The zero-based position of the call among the calls of this reply; -1 for <see cref="ToolCallEventKind.Text"/>. It has nothing
/// to do with the index inside the call's id.
/// </param>
/// <param name="Text">
/// The text, or for <see cref="ToolCallEventKind.Arguments"/> the piece of arguments; otherwise empty.
/// </param>
/// <param name="Call">
/// The call: without arguments for <see cref="ToolCallEventKind.CallStarted"/>, whole for <see
/// cref="ToolCallEventKind.CallCompleted"/>, and as far as it was written for <see cref="ToolCallEventKind.CallCut"/>, where the
/// name is empty if it was not known yet; otherwise <see langword="null"/>.
/// </param>
public readonly record struct ToolCallEvent(ToolCallEventKind Kind, int CallIndex, string Text, ToolCall? Call);
