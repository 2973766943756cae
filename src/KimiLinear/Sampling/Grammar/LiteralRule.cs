namespace KimiLinear.Sampling;

/// <summary>One of the texts of a tree, written as they stand.</summary>
internal sealed class LiteralRule : GrammarRule
{
    private readonly ByteTrie _texts;

    /// <summary>Initializes a new instance of the <see cref="LiteralRule"/> class.</summary>
    /// <param name="texts">The texts, none of them empty; there may be none.</param>
    public LiteralRule(params IReadOnlyCollection<byte[]> texts)
    {
        _texts = new ByteTrie();
        foreach (byte[] text in texts)
        {
            _texts.Add(text);
        }

        Height = texts.Count == 0 ? Impossible : 0;
    }

    public override bool IsNullable(int state) => _texts.IsEnd(state);

    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        IEnumerable<GrammarNode> options = _texts.Children(state)
            .Select(child => nodes.Then(nodes.Byte(child.Key), nodes.Of(this, child.Value)));
        return nodes.Either(IsNullable(state) ? options.Append(nodes.End) : options);
    }
}
