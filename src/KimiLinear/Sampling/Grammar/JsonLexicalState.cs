namespace KimiLinear.Sampling;

/// <summary>Where in JSON text a byte stands, as far as strings go.</summary>
internal enum JsonLexicalState
{
    /// <summary>Not in a string.</summary>
    Outside,

    /// <summary>In a string.</summary>
    InString,

    /// <summary>In a string, behind a backslash.</summary>
    InEscape,
}
