namespace KimiLinear.Sampling;

/// <summary>A value that fits one of several rules, which may be choices themselves and lead back here.</summary>
internal sealed class ChoiceRule : GrammarRule
{
    private readonly List<GrammarRule> _options = [];

    public override bool UsesDepth => true;

    public void Add(GrammarRule option) => _options.Add(option);

    public override bool UpdateHeight()
    {
        int height = _options.Select(option => option.Height).DefaultIfEmpty(Impossible).Min();
        bool changes = height != Height;
        Height = height;
        return changes;
    }

    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        HashSet<GrammarRule> seen = [this];
        Stack<GrammarRule> pending = new([this]);
        List<GrammarNode> leaves = [];
        while (pending.TryPop(out GrammarRule? rule))
        {
            if (rule is not ChoiceRule choice)
            {
                leaves.Add(nodes.Of(rule, depth: depth));
                continue;
            }

            foreach (GrammarRule option in choice._options.Where(option => option.Height <= depth && seen.Add(option)))
            {
                pending.Push(option);
            }
        }

        return nodes.Either(leaves);
    }
}
