namespace KimiLinear.Sampling;

/// <summary>A part of a regular expression.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point of a set.</summary>
    public sealed record OneOf(CodePointSet Set) : PatternNode;

    /// <summary>One part after the other.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>One of several.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Options) : PatternNode;

    /// <summary>A part so many times; a negative maximum is no limit.</summary>
    public sealed record Repeat(PatternNode Item, int Minimum, int Maximum) : PatternNode;

    /// <summary>The start of the text.</summary>
    public sealed record Start : PatternNode;

    /// <summary>The end of the text.</summary>
    public sealed record End : PatternNode;
}
