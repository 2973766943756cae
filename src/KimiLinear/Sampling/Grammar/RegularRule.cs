namespace KimiLinear.Sampling;

/// <summary>
/// A value whose text an automaton describes: a string with a pattern, in canonical spelling, or a bounded number.
/// </summary>
internal sealed class RegularRule : GrammarRule
{
    private readonly CodePointAutomaton _automaton;
    private readonly bool _isString;

    /// <summary>Initializes a new instance of the <see cref="RegularRule"/> class.</summary>
    /// <param name="automaton">Describes the text: of a string, what stands between the quotes, not yet escaped.</param>
    /// <param name="isString">Whether the value is a string.</param>
    public RegularRule(CodePointAutomaton automaton, bool isString)
    {
        _automaton = automaton;
        _isString = isString;
        Height = automaton.StateCount == 0 ? Impossible : 0;
    }

    public override bool IsNullable(int state) => state > 0 && _automaton.IsEnd(state - 1);

    // State 0 is the value with its quotes; behind it come the automaton's states.
    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        if (state == 0)
        {
            GrammarNode text = nodes.Of(this, 1);
            GrammarNode quote = nodes.Byte((byte)'"');
            return _isString ? nodes.Then(quote, nodes.Then(text, quote)) : text;
        }

        IEnumerable<GrammarNode> options = _automaton.Transitions(state - 1)
            .Select(step => nodes.Then(JsonCharacters.Spell(nodes, step.On), nodes.Of(this, step.Target + 1)));
        return nodes.Either(IsNullable(state) ? options.Append(nodes.End) : options);
    }
}
