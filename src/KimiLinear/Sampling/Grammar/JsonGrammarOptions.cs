namespace KimiLinear.Sampling;

/// <summary>How a JSON schema becomes a grammar.</summary>
public sealed record JsonGrammarOptions
{
    /// <summary>
    /// Gets a value indicating whether a keyword that cannot be enforced is refused. Otherwise it is reported in
    /// <see cref="JsonGrammar.UnenforcedKeywords"/>, and the rest of the schema is enforced.
    /// </summary>
    /// <value>The default is <see langword="false"/>.</value>
    public bool IsStrict { get; init; }

    /// <summary>
    /// Gets a value indicating whether an object may have properties beyond those its schema names where the schema does not say,
    /// as the letter of JSON Schema has it. Otherwise <c>additionalProperties</c> must allow them; an object whose schema names
    /// no property at all may have any.
    /// </summary>
    /// <value>The default is <see langword="false"/>: a model that may invent properties does.</value>
    public bool AllowUnnamedProperties { get; init; }

    /// <summary>
    /// Gets a value indicating whether the format <c>time</c> is written without an offset, as <see cref="TimeOnly"/> reads it.
    /// JSON Schema asks for the offset.
    /// </summary>
    /// <value>The default is <see langword="false"/>: <c>12:30:00Z</c>.</value>
    public bool UseLocalTimes { get; init; }

    /// <summary>Gets how many objects and arrays may lie inside one another, from 1 to 1000.</summary>
    /// <value>The default is 64, which is also how deep <c>System.Text.Json</c> reads by default.</value>
    public int MaxDepth
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(MaxDepth));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 1000, nameof(MaxDepth));
            field = value;
        }
    } = 64;
}
