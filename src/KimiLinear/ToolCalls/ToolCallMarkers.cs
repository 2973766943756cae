using KimiLinear.Tokenization;

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

    /// <summary>
    /// Finds the tokens with which a reply begins calls: those that open a section, and the one that opens a call, which models
    /// write without a section too.
    /// </summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <returns>Their ids, for <c>GenerationOptions.ForbiddenTokenIds</c>; empty where the tokenizer has none of them.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="tokenizer"/> is <see langword="null"/>.</exception>
    public static IReadOnlyList<int> FindOpeningTokenIds(KimiTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        List<int> tokenIds = [];
        foreach (string marker in (string[])[SectionBegin, SectionBeginSingular, CallBegin])
        {
            if (tokenizer.TryGetSpecialTokenId(marker, out int tokenId))
            {
                tokenIds.Add(tokenId);
            }
        }

        return tokenIds;
    }
}
