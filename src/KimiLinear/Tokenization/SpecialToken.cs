namespace KimiLinear.Tokenization;

/// <summary>A token that stands for a marker, not for a piece of text: the end of a turn, the start of a tool call.</summary>
/// <param name="Name">The marker as it is written in the chat template, such as <c>&lt;|im_end|&gt;</c>.</param>
/// <param name="Id">The token id; special ids follow the ordinary ones.</param>
public readonly record struct SpecialToken(string Name, int Id);
