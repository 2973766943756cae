namespace KimiLinear.ToolCalls;

/// <summary>A marker and one way to write it.</summary>
internal readonly record struct MarkerSpelling(string Text, ToolCallMarker Marker);
