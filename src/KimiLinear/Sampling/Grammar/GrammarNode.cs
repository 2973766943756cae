namespace KimiLinear.Sampling;

/// <summary>
/// What may still be written: an expression over bytes, and so a state of the automaton, since what may follow a byte is
/// another such expression (Brzozowski's derivative). Equal expressions are one object.
/// </summary>
/// <remarks>
/// Made and completed by <see cref="GrammarNodes"/> under its machine's lock. What is filled in later is written once and may be
/// read without the lock.
/// </remarks>
internal sealed class GrammarNode(GrammarNodeKind kind, int id, bool isNullable)
{
    private const int ByteCount = 256;

    private GrammarNode?[]? _steps;
    private Step? _firstStep;

    public GrammarNodeKind Kind { get; } = kind;

    /// <summary>Gets the number of the node among those of its machine.</summary>
    public int Id { get; } = id;

    /// <summary>Gets a value indicating whether nothing more needs to be written.</summary>
    public bool IsNullable { get; } = isNullable;

    /// <summary>Gets the bytes, of <see cref="GrammarNodeKind.Bytes"/>.</summary>
    public ByteSet Set { get; init; }

    /// <summary>Gets what comes first, is repeated, or has exceptions.</summary>
    public GrammarNode First { get; init; } = null!;

    /// <summary>Gets what comes second.</summary>
    public GrammarNode Second { get; init; } = null!;

    /// <summary>Gets what is chosen from, in the order of ids; no choices themselves.</summary>
    public GrammarNode[] Options { get; init; } = [];

    /// <summary>Gets the fewest repetitions.</summary>
    public int Minimum { get; init; }

    /// <summary>Gets the most repetitions; negative for any number.</summary>
    public int Maximum { get; init; }

    /// <summary>Gets the rule, of <see cref="GrammarNodeKind.Rule"/>.</summary>
    public GrammarRule? Rule { get; init; }

    /// <summary>Gets the state of the rule, or the place in the tree of exceptions.</summary>
    public int State { get; init; }

    /// <summary>Gets how many objects and arrays may still be opened inside one another.</summary>
    public int Depth { get; init; }

    /// <summary>Gets the exceptions, of <see cref="GrammarNodeKind.Except"/>.</summary>
    public ByteTrie? Exceptions { get; init; }

    /// <summary>Gets or sets the bytes that may come first, once worked out.</summary>
    public ByteSet? FirstBytes { get; set; }

    /// <summary>Gets or sets what the rule says.</summary>
    public GrammarNode? Expansion { get; set; }

    /// <summary>Gets or sets the node that treats every single token alike and stands for many.</summary>
    public GrammarNode? Clamped { get; set; }

    /// <summary>Gets or sets the tokens that may come next.</summary>
    public TokenMask? Mask { get; set; }

    /// <summary>Looks up what may follow a byte, if that was worked out before.</summary>
    public GrammarNode? FindStep(byte value)
    {
        if (Volatile.Read(ref _steps) is { } steps)
        {
            return Volatile.Read(ref steps[value]);
        }

        return Volatile.Read(ref _firstStep) is { } step && step.Value == value ? step.Next : null;
    }

    /// <summary>Remembers what may follow a byte. Most nodes are left by one byte only, and get no table.</summary>
    public void AddStep(byte value, GrammarNode next)
    {
        if (_steps is null && _firstStep is null)
        {
            Volatile.Write(ref _firstStep, new Step(value, next));
            return;
        }

        if (_steps is null)
        {
            var steps = new GrammarNode?[ByteCount];
            steps[_firstStep!.Value] = _firstStep.Next;
            Volatile.Write(ref _steps, steps);
        }

        Volatile.Write(ref _steps[value], next);
    }

    private sealed record Step(byte Value, GrammarNode Next);
}
