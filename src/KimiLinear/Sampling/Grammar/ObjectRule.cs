namespace KimiLinear.Sampling;

/// <summary>An object: the named properties in their order, optional ones left out or not, then others.</summary>
/// <param name="properties">The named properties.</param>
/// <param name="others">The rule of the values of other properties, or <see langword="null"/> if there must be none.</param>
/// <param name="names">The spellings of all names that no other property may have.</param>
internal sealed class ObjectRule(IReadOnlyList<ObjectProperty> properties, GrammarRule? others, ByteTrie names) : GrammarRule
{
    /// <summary>Gets a value indicating whether there may be properties that are not named.</summary>
    public bool HasOthers => others is not null;

    public override bool UsesDepth => true;

    public override bool UpdateHeight()
    {
        int highest = properties.Where(property => property.IsRequired)
            .Select(property => property.Value.Height).DefaultIfEmpty(0).Max();
        int height = highest == Impossible ? Impossible : highest + 1;
        bool changes = height != Height;
        Height = height;
        return changes;
    }

    // State 0 is the whole; 2n + 1 is what follows the brace, 2n + 2 what follows a property, when the first n are settled.
    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        if (state == 0)
        {
            return nodes.Then(nodes.Byte((byte)'{'), nodes.Of(this, 1, depth));
        }

        bool isFirst = state % 2 == 1;
        List<GrammarNode> options = [];
        for (int index = (state - 1) / 2; index < properties.Count; index++)
        {
            ObjectProperty property = properties[index];
            if (property.Value.Height < depth)
            {
                GrammarNode value = nodes.Of(property.Value, depth: depth - 1);
                options.Add(Member(nodes, isFirst, nodes.Of(property.Key), value, nodes.Of(this, (2 * index) + 4, depth)));
            }

            if (property.IsRequired)
            {
                return nodes.Either(options);
            }
        }

        options.Add(nodes.Byte((byte)'}'));
        if (others?.Height < depth)
        {
            GrammarNode value = nodes.Of(others, depth: depth - 1);
            options.Add(Member(nodes, isFirst, OtherKey(nodes), value, nodes.Of(this, (2 * properties.Count) + 2, depth)));
        }

        return nodes.Either(options);
    }

    private static GrammarNode Member(
        GrammarNodes nodes, bool isFirst, GrammarNode key, GrammarNode value, GrammarNode rest)
    {
        GrammarNode member = nodes.Then(key, nodes.Then(nodes.OptionalSpace, nodes.Then(value, rest)));
        return isFirst ? member : nodes.Then(nodes.Comma, member);
    }

    // In canonical spelling, so that two keys are one exactly when they are written alike.
    private GrammarNode OtherKey(GrammarNodes nodes)
    {
        GrammarNode text = nodes.Repeat(nodes.PlainCharacter, 0, GrammarNodes.Unlimited);
        GrammarNode quote = nodes.Byte((byte)'"');
        GrammarNode end = nodes.Then(quote, nodes.Byte((byte)':'));
        GrammarNode free = names.IsEmpty ? text : nodes.Except(text, names, place: 0);
        return nodes.Then(quote, nodes.Then(free, end));
    }
}
