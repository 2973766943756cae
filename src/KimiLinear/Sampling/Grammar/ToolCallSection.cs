namespace KimiLinear.Sampling;

/// <summary>How the calls of tools are written, and which tools there are.</summary>
/// <param name="SectionBegin">The special token before all calls.</param>
/// <param name="SectionEnd">The special token behind all calls.</param>
/// <param name="CallBegin">The special token before each call.</param>
/// <param name="ArgumentBegin">The special token between the id of a call and its arguments.</param>
/// <param name="CallEnd">The special token behind each call.</param>
internal sealed record ToolCallSection(
    string SectionBegin, string SectionEnd, string CallBegin, string ArgumentBegin, string CallEnd)
{
    /// <summary>Gets the texts that would be taken for special tokens and must not be written in ordinary ones.</summary>
    public required ByteGrammar TextWithoutMarkers { get; init; }

    /// <summary>Gets the tools: how the id of a call begins, up to its number, and the grammar of the arguments.</summary>
    public required IReadOnlyList<(string IdBeginning, JsonGrammar Arguments)> Tools { get; init; }

    /// <summary>Gets the number of the first call.</summary>
    public required int FirstIndex { get; init; }

    /// <summary>Gets a value indicating whether there may be more than one call.</summary>
    public required bool AllowsSeveral { get; init; }
}
