namespace KimiLinear.Sampling;

/// <summary>What a schema became.</summary>
/// <param name="Root">The rule of the whole value.</param>
/// <param name="HasOtherKeys">Whether some object may have properties that the schema does not name.</param>
/// <param name="UnenforcedKeywords">What the rules do not enforce.</param>
internal sealed record CompiledSchema(GrammarRule Root, bool HasOtherKeys, IReadOnlyList<UnenforcedKeyword> UnenforcedKeywords);
