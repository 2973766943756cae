namespace KimiLinear.Sampling;

/// <summary>An array: first items with rules of their own, then any number of one rule.</summary>
internal sealed class ArrayRule(IReadOnlyList<GrammarRule> first, GrammarRule rest, int minimum, int maximum) : GrammarRule
{
    private static readonly LiteralRule Empty = new("[]"u8.ToArray());

    public override bool UsesDepth => true;

    public override bool UpdateHeight()
    {
        int height = maximum >= 0 && maximum < minimum ? Impossible : HeightOf(minimum);
        bool changes = height != Height;
        Height = height;
        return changes;
    }

    // State 0 is the whole; state n + 1 is what follows n of the first items.
    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        if (state == 0)
        {
            GrammarNode items = nodes.Then(nodes.Byte((byte)'['), nodes.Of(this, 1, depth));
            return minimum == 0 ? nodes.Either(nodes.Of(Empty), items) : items;
        }

        int written = state - 1;
        GrammarNode end = written >= minimum && written > 0 ? nodes.Byte((byte)']') : nodes.Nothing;
        if (maximum >= 0 && written >= maximum)
        {
            return end;
        }

        GrammarRule rule = written < first.Count ? first[written] : rest;
        if (rule.Height >= depth)
        {
            return end;
        }

        GrammarNode item = nodes.Of(rule, depth: depth - 1);
        GrammarNode next = written == 0 ? item : nodes.Then(nodes.Comma, item);
        return written < first.Count
            ? nodes.Either(end, nodes.Then(next, nodes.Of(this, state + 1, depth)))
            : nodes.Either(end, nodes.Then(next, Rest(nodes, written + 1, item)));
    }

    private GrammarNode Rest(GrammarNodes nodes, int written, GrammarNode item) => nodes.Then(
        nodes.Repeat(
            nodes.Then(nodes.Comma, item),
            Math.Max(minimum - written, 0),
            maximum < 0 ? GrammarNodes.Unlimited : maximum - written),
        nodes.Byte((byte)']'));

    private int HeightOf(int count)
    {
        int highest = 0;
        for (int i = 0; i < count && i <= first.Count; i++)
        {
            highest = Math.Max(highest, i < first.Count ? first[i].Height : rest.Height);
        }

        return highest == Impossible ? Impossible : highest + 1;
    }
}
