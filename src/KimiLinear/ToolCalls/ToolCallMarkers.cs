namespace KimiLinear.ToolCalls;

/// <summary>
/// The strings that enclose tool calls in what the model reads and writes; each is one token of the vocabulary.
/// </summary>
/// <remarks>
/// <c>section-begin { call-begin id argument-begin arguments call-end } section-end</c>, one or more calls in a section.
/// </remarks>
public static class ToolCallMarkers
{
    /// <summary>Opens the section that holds the calls of one reply.</summary>
    public const string SectionBegin = "<|tool_calls_section_begin|>";

    /// <summary>Closes the section.</summary>
    public const string SectionEnd = "<|tool_calls_section_end|>";

    /// <summary>Opens a call; its id follows.</summary>
    public const string CallBegin = "<|tool_call_begin|>";

    /// <summary>Ends the id; the arguments follow.</summary>
    public const string ArgumentBegin = "<|tool_call_argument_begin|>";

    /// <summary>Closes a call.</summary>
    public const string CallEnd = "<|tool_call_end|>";

    /// <summary>A misspelling of <see cref="SectionBegin"/> that models write; understood, never written.</summary>
    internal const string SectionBeginSingular = "<|tool_call_section_begin|>";

    /// <summary>A misspelling of <see cref="SectionEnd"/> that models write; understood, never written.</summary>
    internal const string SectionEndSingular = "<|tool_call_section_end|>";
}
