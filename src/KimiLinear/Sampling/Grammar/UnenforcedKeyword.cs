namespace KimiLinear.Sampling;

/// <summary>A keyword of a JSON schema that a grammar does not enforce: replies may violate it.</summary>
/// <param name="Keyword">The keyword, such as <c>uniqueItems</c>.</param>
/// <param name="Place">The schema it stands in, as a JSON pointer with <c>#</c> before it; <c>#</c> is the whole schema.</param>
/// <param name="Reason">Why it is not enforced, as the end of a sentence.</param>
public sealed record UnenforcedKeyword(string Keyword, string Place, string Reason);
