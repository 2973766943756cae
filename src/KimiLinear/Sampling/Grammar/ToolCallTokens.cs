using KimiLinear.Tokenization;

namespace KimiLinear.Sampling;

/// <summary>The ids of the special tokens around calls of tools.</summary>
internal sealed class ToolCallTokens
{
    /// <summary>Initializes a new instance of the <see cref="ToolCallTokens"/> class.</summary>
    /// <exception cref="ArgumentException">The tokenizer lacks one of them.</exception>
    public ToolCallTokens(ToolCallSection section, KimiTokenizer tokenizer)
    {
        SectionBegin = tokenizer.GetSpecialTokenId(section.SectionBegin);
        SectionEnd = tokenizer.GetSpecialTokenId(section.SectionEnd);
        CallBegin = tokenizer.GetSpecialTokenId(section.CallBegin);
        ArgumentBegin = tokenizer.GetSpecialTokenId(section.ArgumentBegin);
        CallEnd = tokenizer.GetSpecialTokenId(section.CallEnd);
        All = [SectionBegin, SectionEnd, CallBegin, ArgumentBegin, CallEnd];
    }

    public int SectionBegin { get; }

    public int SectionEnd { get; }

    public int CallBegin { get; }

    public int ArgumentBegin { get; }

    public int CallEnd { get; }

    public int[] All { get; }
}
