namespace KimiLinear.Sampling;

/// <summary>Any bytes in which none of some texts occurs (the automaton of Aho and Corasick).</summary>
internal sealed class TextRule : GrammarRule
{
    private readonly ByteTrie _forbidden = new();

    // For each place of the tree, that of the longest proper end of its text that begins one of the texts.
    private readonly Dictionary<int, int> _fallbacks = new() { [0] = 0 };

    /// <summary>Initializes a new instance of the <see cref="TextRule"/> class.</summary>
    /// <param name="forbidden">The texts, none of which is part of another.</param>
    public TextRule(IEnumerable<byte[]> forbidden)
    {
        foreach (byte[] text in forbidden)
        {
            _forbidden.Add(text);
        }

        Queue<int> pending = new([0]);
        while (pending.TryDequeue(out int place))
        {
            foreach ((byte value, int child) in _forbidden.Children(place))
            {
                _fallbacks[child] = place == 0 ? 0 : Next(_fallbacks[place], value);
                pending.Enqueue(child);
            }
        }

        Height = 0;
    }

    public override bool IsNullable(int state) => true;

    // States are places of the tree: what of the texts the bytes so far end with.
    public override GrammarNode Expand(GrammarNodes nodes, int state, int depth)
    {
        Dictionary<int, ByteSet> targets = [];
        for (int value = 0; value <= byte.MaxValue; value++)
        {
            int next = Next(state, (byte)value);
            if (!_forbidden.IsEnd(next))
            {
                targets[next] = targets.GetValueOrDefault(next).With(value);
            }
        }

        return nodes.Either(
            targets.Select(target => nodes.Then(nodes.Bytes(target.Value), nodes.Of(this, target.Key))).Append(nodes.End));
    }

    private int Next(int place, byte value)
    {
        int child = _forbidden.Child(place, value);
        return child != ByteTrie.None ? child : place == 0 ? 0 : Next(_fallbacks[place], value);
    }
}
