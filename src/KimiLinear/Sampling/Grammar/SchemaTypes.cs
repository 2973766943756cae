namespace KimiLinear.Sampling;

/// <summary>Kinds of JSON values, as the keyword <c>type</c> has them.</summary>
[Flags]
internal enum SchemaTypes
{
    /// <summary>No value.</summary>
    None = 0,

    /// <summary>A whole number.</summary>
    Integer = 1,

    /// <summary>A number that is not whole; any number together with <see cref="Integer"/>.</summary>
    Fraction = 2,

    /// <summary>Any number.</summary>
    Number = Integer | Fraction,

    /// <summary>A string.</summary>
    String = 4,

    /// <summary>True or false.</summary>
    Boolean = 8,

    /// <summary>Null.</summary>
    Null = 16,

    /// <summary>An object.</summary>
    Object = 32,

    /// <summary>An array.</summary>
    Array = 64,

    /// <summary>Any value.</summary>
    All = 127,
}
