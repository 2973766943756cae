namespace KimiLinear.ToolCalls;

/// <summary>The markers, whatever their spelling.</summary>
internal enum ToolCallMarker
{
    SectionBegin,
    SectionEnd,
    CallBegin,
    ArgumentBegin,
    CallEnd,
}
