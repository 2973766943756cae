namespace KimiLinear.Chat;

/// <summary>A stretch of a rendered prompt: a marker of the template, or text that somebody else wrote.</summary>
internal readonly record struct PromptSegment(string Text, bool IsMarker);
