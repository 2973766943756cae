namespace KimiLinear.Sampling;

/// <summary>A string of any characters, in any spelling, so many code points long.</summary>
internal sealed class StringRule : GrammarRule
{
    private readonly int _minimum;
    private readonly int _maximum;

    /// <summary>Initializes a new instance of the <see cref="StringRule"/> class.</summary>
    /// <param name="minimum">The fewest code points.</param>
    /// <param name="maximum">The most code points; negative for any number.</param>
    public StringRule(int minimum, int maximum)
    {
        _minimum = minimum;
        _maximum = maximum;
        Height = maximum >= 0 && maximum < minimum ? Impossible : 0;
    }

    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        GrammarNode quote = nodes.Byte((byte)'"');
        return nodes.Then(quote, nodes.Then(nodes.Repeat(nodes.Character, _minimum, _maximum), quote));
    }
}
