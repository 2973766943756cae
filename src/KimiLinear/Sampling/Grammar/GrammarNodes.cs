namespace KimiLinear.Sampling;

/// <summary>Makes the nodes of one machine, each expression once, and works out what may follow a byte.</summary>
/// <remarks>Not safe for concurrent use; the machine has a lock.</remarks>
internal sealed class GrammarNodes
{
    /// <summary>The number of repetitions that stands for any number.</summary>
    public const int Unlimited = -1;

    // A node with its place in the table, and half a table of steps.
    private const int NodeBytes = 1200;

    private readonly Dictionary<Key, GrammarNode> _nodes = [];
    private readonly Dictionary<ByteSet, GrammarNode> _byteNodes = [];
    private int _nextId;

    /// <summary>Initializes a new instance of the <see cref="GrammarNodes"/> class with the nodes every grammar has.</summary>
    public GrammarNodes()
    {
        Nothing = new GrammarNode(GrammarNodeKind.Nothing, NextId(), false);
        End = new GrammarNode(GrammarNodeKind.End, NextId(), true);
        OptionalSpace = Either(End, Byte((byte)' '));
        Comma = Then(Byte((byte)','), OptionalSpace);
        Character = JsonCharacters.Any(this);
        PlainCharacter = JsonCharacters.Spell(this, CodePointSet.All);
    }

    /// <summary>Gets about how much memory the nodes take. Bytes.</summary>
    public long ByteCount { get; private set; }

    public GrammarNode Nothing { get; }

    public GrammarNode End { get; }

    public GrammarNode OptionalSpace { get; }

    /// <summary>Gets a comma with its optional space.</summary>
    public GrammarNode Comma { get; }

    /// <summary>Gets one character of a JSON string in any spelling.</summary>
    public GrammarNode Character { get; }

    /// <summary>Gets one character of a JSON string in its one canonical spelling.</summary>
    public GrammarNode PlainCharacter { get; }

    public GrammarNode Byte(byte value) => Bytes(default(ByteSet).With(value));

    public GrammarNode Bytes(ByteSet set)
    {
        if (!_byteNodes.TryGetValue(set, out GrammarNode? node))
        {
            node = new GrammarNode(GrammarNodeKind.Bytes, NextId(), false) { Set = set };
            _byteNodes.Add(set, node);
        }

        return node;
    }

    /// <summary>Returns the sequence of two nodes.</summary>
    public GrammarNode Then(GrammarNode first, GrammarNode second) => first.Kind switch
    {
        GrammarNodeKind.Nothing => Nothing,
        GrammarNodeKind.End => second,
        GrammarNodeKind.Sequence => Then(first.First, Then(first.Second, second)),
        _ when second.Kind == GrammarNodeKind.Nothing => Nothing,
        _ when second.Kind == GrammarNodeKind.End => first,
        _ => Get(
            new Key(GrammarNodeKind.Sequence, first.Id, second.Id),
            (key, id) => new GrammarNode(key.Kind, id, first.IsNullable && second.IsNullable) { First = first, Second = second }),
    };

    /// <summary>Returns the choice between two nodes.</summary>
    public GrammarNode Either(GrammarNode first, GrammarNode second) => Either([first, second]);

    /// <summary>Returns the choice between nodes.</summary>
    public GrammarNode Either(IEnumerable<GrammarNode> options)
    {
        // Choices may have many thousands of options, so nothing here or below goes down their list one call deeper each.
        HashSet<GrammarNode> distinct = [];
        foreach (GrammarNode option in options)
        {
            if (option.Kind == GrammarNodeKind.Choice)
            {
                distinct.UnionWith(option.Options);
            }
            else
            {
                distinct.Add(option);
            }
        }

        distinct.Remove(Nothing);
        if (distinct.Count < 2)
        {
            return distinct.SingleOrDefault(Nothing);
        }

        GrammarNode[] sorted = [.. distinct];
        Array.Sort(sorted, static (left, right) => left.Id.CompareTo(right.Id));
        return Get(new Key(GrammarNodeKind.Choice, 0, 0, Owner: new OptionList(sorted)), (key, id) =>
        {
            ByteCount += (long)sorted.Length * IntPtr.Size;
            return new GrammarNode(key.Kind, id, sorted.Any(option => option.IsNullable)) { Options = sorted };
        });
    }

    /// <summary>Returns repetitions of a node that matches no empty text.</summary>
    public GrammarNode Repeat(GrammarNode item, int minimum, int maximum)
    {
        if (maximum == 0)
        {
            return End;
        }

        return item.Kind == GrammarNodeKind.Nothing
            ? minimum == 0 ? End : Nothing
            : Get(
                new Key(GrammarNodeKind.Repeat, item.Id, minimum, maximum),
                (key, id) => new GrammarNode(key.Kind, id, minimum == 0) { First = item, Minimum = minimum, Maximum = maximum });
    }

    /// <summary>Returns the node of a rule's state.</summary>
    public GrammarNode Of(GrammarRule rule, int state = 0, int depth = 0) => Get(
        new Key(GrammarNodeKind.Rule, state, rule.UsesDepth ? depth : 0, Owner: rule),
        (key, id) => new GrammarNode(key.Kind, id, rule.IsNullable(state)) { Rule = rule, State = state, Depth = key.B });

    /// <summary>Returns what a node matches without the strings below a place of a tree.</summary>
    public GrammarNode Except(GrammarNode node, ByteTrie exceptions, int place) =>
        node.Kind == GrammarNodeKind.Nothing || place == ByteTrie.None
            ? node
            : Get(
                new Key(GrammarNodeKind.Except, node.Id, place, Owner: exceptions),
                (key, id) => new GrammarNode(key.Kind, id, node.IsNullable && !exceptions.IsEnd(place))
                {
                    First = node,
                    State = place,
                    Exceptions = exceptions,
                });

    /// <summary>Returns what may follow a byte; <see cref="Nothing"/> if the byte must not come.</summary>
    public GrammarNode Step(GrammarNode node, byte value)
    {
        // Most bytes are refused, and need no place in the table.
        if (!FirstBytes(node).Contains(value))
        {
            return Nothing;
        }

        if (node.FindStep(value) is { } known)
        {
            return known;
        }

        GrammarNode next = Derive(node, value);
        node.AddStep(value, next);
        return next;
    }

    /// <summary>Returns what a rule's node stands for.</summary>
    public GrammarNode Expand(GrammarNode node) =>
        node.Expansion ??= node.Rule!.Expand(this, node.State, node.Depth);

    /// <summary>
    /// Returns a node that allows the same tokens, with counts so large that no token can use them up made equal.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="tokenLength">The number of bytes of the longest token.</param>
    public GrammarNode Clamp(GrammarNode node, int tokenLength) => node.Clamped ??= node.Kind switch
    {
        GrammarNodeKind.Sequence => Then(Clamp(node.First, tokenLength), Clamp(node.Second, tokenLength)),
        GrammarNodeKind.Choice => Either(node.Options.Select(option => Clamp(option, tokenLength))),
        GrammarNodeKind.Repeat => ClampCounts(node, (tokenLength / ShortestLength(node.First)) + 1),
        _ => node,
    };

    // No byte outside the set may come; one inside may still be refused where there are exceptions.
    private ByteSet FirstBytes(GrammarNode node) => node.FirstBytes ??= node.Kind switch
    {
        GrammarNodeKind.Bytes => node.Set,
        GrammarNodeKind.Sequence when node.First.IsNullable => FirstBytes(node.First).Union(FirstBytes(node.Second)),
        GrammarNodeKind.Sequence or GrammarNodeKind.Repeat or GrammarNodeKind.Except => FirstBytes(node.First),
        GrammarNodeKind.Choice => node.Options.Aggregate(default(ByteSet), (set, option) => set.Union(FirstBytes(option))),
        GrammarNodeKind.Rule => FirstBytes(Expand(node)),
        _ => default,
    };

    private GrammarNode ClampCounts(GrammarNode node, int limit) => Repeat(
        node.First,
        Math.Min(node.Minimum, limit),
        node.Maximum > limit ? Unlimited : node.Maximum);

    // At least 1 for what is repeated; a rule counts as one byte, which is safe.
    private static int ShortestLength(GrammarNode node) => node.Kind switch
    {
        GrammarNodeKind.Bytes => 1,
        GrammarNodeKind.Sequence => ShortestLength(node.First) + ShortestLength(node.Second),
        GrammarNodeKind.Choice => node.Options.Min(ShortestLength),
        GrammarNodeKind.Rule => node.IsNullable ? 0 : 1,
        _ => 0,
    };

    private GrammarNode Derive(GrammarNode node, byte value)
    {
        switch (node.Kind)
        {
            case GrammarNodeKind.Bytes:
                return node.Set.Contains(value) ? End : Nothing;
            case GrammarNodeKind.Sequence:
                GrammarNode next = Then(Step(node.First, value), node.Second);
                return node.First.IsNullable ? Either(next, Step(node.Second, value)) : next;
            case GrammarNodeKind.Choice:
                return Either(node.Options.Select(option => Step(option, value)));
            case GrammarNodeKind.Repeat:
                int minimum = Math.Max(node.Minimum - 1, 0), maximum = node.Maximum < 0 ? Unlimited : node.Maximum - 1;
                return Then(Step(node.First, value), Repeat(node.First, minimum, maximum));
            case GrammarNodeKind.Rule:
                return Step(Expand(node), value);
            case GrammarNodeKind.Except:
                return Except(Step(node.First, value), node.Exceptions!, node.Exceptions!.Child(node.State, value));
            default:
                return Nothing;
        }
    }

    private GrammarNode Get(Key key, Func<Key, int, GrammarNode> create)
    {
        if (!_nodes.TryGetValue(key, out GrammarNode? node))
        {
            node = create(key, NextId());
            _nodes.Add(key, node);
        }

        return node;
    }

    private int NextId()
    {
        ByteCount += NodeBytes;
        return _nextId++;
    }

    private readonly record struct Key(GrammarNodeKind Kind, int A, int B, int C = 0, object? Owner = null);

    /// <summary>The options of a choice, compared one by one.</summary>
    private sealed class OptionList(GrammarNode[] options) : IEquatable<OptionList>
    {
        private readonly GrammarNode[] _options = options;
        private readonly int _hash = Hash(options);

        public bool Equals(OptionList? other) => other is not null && _options.AsSpan().SequenceEqual(other._options);

        public override bool Equals(object? obj) => Equals(obj as OptionList);

        public override int GetHashCode() => _hash;

        private static int Hash(GrammarNode[] options)
        {
            HashCode hash = default;
            foreach (GrammarNode option in options)
            {
                hash.Add(option.Id);
            }

            return hash.ToHashCode();
        }
    }
}
