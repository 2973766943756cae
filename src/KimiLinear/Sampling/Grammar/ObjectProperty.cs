namespace KimiLinear.Sampling;

/// <summary>A property that a schema names.</summary>
/// <param name="Key">The key with quotes and colon, as it is written.</param>
/// <param name="Value">The rule of the value.</param>
/// <param name="IsRequired">Whether it must be there.</param>
internal sealed record ObjectProperty(GrammarRule Key, GrammarRule Value, bool IsRequired);
