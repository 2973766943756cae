namespace KimiLinear.Sampling;

/// <summary>What a <see cref="GrammarNode"/> is made of.</summary>
internal enum GrammarNodeKind
{
    /// <summary>Nothing matches.</summary>
    Nothing,

    /// <summary>Only the empty text matches.</summary>
    End,

    /// <summary>One byte of a set.</summary>
    Bytes,

    /// <summary>One node, then another; the first is no sequence itself.</summary>
    Sequence,

    /// <summary>One of several nodes.</summary>
    Choice,

    /// <summary>A node that matches no empty text, so many times.</summary>
    Repeat,

    /// <summary>What a rule says for one of its states, worked out when first needed.</summary>
    Rule,

    /// <summary>What a node matches, but none of the strings below a place of a tree.</summary>
    Except,
}
