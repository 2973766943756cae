namespace KimiLinear.Sampling;

/// <summary>A grammar at work on one vocabulary: its states as far as texts got, and which tokens each of them allows.</summary>
/// <remarks>Safe for concurrent use: what is known is read without a lock, what is new is worked out under one.</remarks>
internal sealed class GrammarMachine
{
    private readonly Lock _lock = new();
    private readonly GrammarNodes _nodes = new();
    private readonly TokenTrie _trie;
    private readonly GrammarNode[] _path;
    private readonly ulong[] _bits;
    private long _maskBytes;

    /// <summary>Initializes a new instance of the <see cref="GrammarMachine"/> class.</summary>
    /// <param name="root">The rule of the whole text.</param>
    /// <param name="depth">How many objects and arrays may lie inside one another.</param>
    /// <param name="trie">The vocabulary.</param>
    public GrammarMachine(GrammarRule root, int depth, TokenTrie trie)
    {
        _trie = trie;
        _path = new GrammarNode[trie.LongestLength + 1];
        _bits = new ulong[(trie.TokenCount + 63) / 64];
        Start = _nodes.Of(root, depth: depth);
    }

    /// <summary>Gets the state before the first byte.</summary>
    public GrammarNode Start { get; }

    /// <summary>Gets about how much memory the states and masks take. Bytes.</summary>
    public long ByteCount
    {
        get
        {
            lock (_lock)
            {
                return _maskBytes + _nodes.ByteCount;
            }
        }
    }

    /// <summary>Returns the state behind some bytes, or <see langword="null"/> if the grammar does not allow them.</summary>
    public GrammarNode? Step(GrammarNode state, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            if (state.FindStep(value) is not { } next)
            {
                lock (_lock)
                {
                    next = _nodes.Step(state, value);
                }
            }

            state = next;
        }

        return state.Kind == GrammarNodeKind.Nothing ? null : state;
    }

    /// <summary>Returns the tokens that may come next.</summary>
    public TokenMask MaskOf(GrammarNode state)
    {
        if (state.Mask is { } known)
        {
            return known;
        }

        lock (_lock)
        {
            GrammarNode clamped = _nodes.Clamp(state, _trie.LongestLength);
            if (clamped.Mask is null)
            {
                clamped.Mask = Compute(clamped);
                _maskBytes += clamped.Mask.ByteCount;
            }

            return state.Mask = clamped.Mask;
        }
    }

    private TokenMask Compute(GrammarNode state)
    {
        Array.Clear(_bits);
        int plainLimit = PlainLimit(state);
        if (plainLimit > 0)
        {
            AddPlain(plainLimit);
        }

        Walk(state, skipPlain: plainLimit > 0);
        return new TokenMask(_bits);
    }

    // How many characters of plain text may follow, if the state is inside a string without a pattern; 0 elsewhere.
    private int PlainLimit(GrammarNode state)
    {
        bool isText = state.Kind == GrammarNodeKind.Sequence && state.First.Kind == GrammarNodeKind.Repeat
            && (state.First.First == _nodes.Character || state.First.First == _nodes.PlainCharacter);
        return !isText ? 0 : state.First.Maximum < 0 ? int.MaxValue : state.First.Maximum;
    }

    private void AddPlain(int limit)
    {
        ReadOnlySpan<byte> lengths = _trie.PlainLengths;
        for (int id = 0; id < lengths.Length; id++)
        {
            // One comparison: a length of 0 becomes the largest.
            if ((uint)(lengths[id] - 1) < (uint)limit)
            {
                _bits[id >> 6] |= 1ul << (id & 63);
            }
        }
    }

    private void Walk(GrammarNode state, bool skipPlain)
    {
        ReadOnlySpan<byte> bytes = _trie.Bytes;
        ReadOnlySpan<int> ends = _trie.Ends, depths = _trie.Depths, tokenIds = _trie.TokenIds;
        ReadOnlySpan<bool> hasSpecialText = _trie.HasSpecialText;
        _path[0] = state;
        int place = 1;
        while (place < bytes.Length)
        {
            int depth = depths[place];
            GrammarNode next = skipPlain && !hasSpecialText[place] ? _nodes.Nothing : _nodes.Step(_path[depth - 1], bytes[place]);
            if (next.Kind == GrammarNodeKind.Nothing)
            {
                place = ends[place];
                continue;
            }

            _path[depth] = next;
            if (tokenIds[place] is >= 0 and int id)
            {
                _bits[id >> 6] |= 1ul << (id & 63);
            }

            place++;
        }
    }
}
