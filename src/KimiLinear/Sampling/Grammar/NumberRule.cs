namespace KimiLinear.Sampling;

/// <summary>A number without bounds, as JSON spells it, with bounded digits.</summary>
internal sealed class NumberRule : GrammarRule
{
    private const int MaxIntegerDigits = 15;
    private const int MaxFractionDigits = 15;
    private const int MaxExponentDigits = 2;

    public NumberRule()
    {
        Height = 0;
    }

    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        GrammarNode digit = nodes.Bytes(ByteSet.Range('0', '9'));
        GrammarNode integer = nodes.Either(
            nodes.Byte((byte)'0'),
            nodes.Then(nodes.Bytes(ByteSet.Range('1', '9')), nodes.Repeat(digit, 0, MaxIntegerDigits - 1)));
        GrammarNode fraction = nodes.Then(nodes.Byte((byte)'.'), nodes.Repeat(digit, 1, MaxFractionDigits));
        GrammarNode sign = Optional(nodes.Bytes(default(ByteSet).With('+').With('-')));
        GrammarNode exponent = nodes.Then(
            nodes.Bytes(default(ByteSet).With('e').With('E')),
            nodes.Then(sign, nodes.Repeat(digit, 1, MaxExponentDigits)));

        return nodes.Then(
            Optional(nodes.Byte((byte)'-')),
            nodes.Then(integer, nodes.Then(Optional(fraction), Optional(exponent))));

        GrammarNode Optional(GrammarNode node) => nodes.Either(nodes.End, node);
    }
}
