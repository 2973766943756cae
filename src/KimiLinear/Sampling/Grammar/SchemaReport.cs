namespace KimiLinear.Sampling;

/// <summary>Gathers the keywords that are not enforced, or refuses the first.</summary>
internal sealed class SchemaReport(bool isStrict)
{
    private readonly List<UnenforcedKeyword> _keywords = [];

    /// <summary>Gets what was gathered, in the order of the schema as far as it was read.</summary>
    public IReadOnlyList<UnenforcedKeyword> Keywords => _keywords;

    /// <summary>Adds a keyword, unless it was added before.</summary>
    /// <exception cref="NotSupportedException">Nothing may go unenforced.</exception>
    public void Add(SchemaPart part, string keyword, string reason)
    {
        if (isStrict)
        {
            throw new NotSupportedException(
                $"The schema's {keyword} at {part.Pointer} cannot be enforced: {reason}. Change the schema, or compile it without "
                + $"{nameof(JsonGrammarOptions.IsStrict)}.");
        }

        if (!_keywords.Exists(known => known.Keyword == keyword && known.Place == part.Pointer))
        {
            _keywords.Add(new UnenforcedKeyword(keyword, part.Pointer, reason));
        }
    }
}
