using System.Text;

namespace KimiLinear.Sampling;

/// <summary>A deterministic automaton over code points. State 0 is its start; from every state an end can be reached.</summary>
internal sealed class CodePointAutomaton
{
    // In place of a length that no longer counts, and of one that cannot fit.
    private const int AnyLength = -1;
    private const int NoLength = -2;

    private readonly IReadOnlyList<(CodePointSet On, int Target)>[] _transitions;
    private readonly bool[] _isEnd;
    private TextsAhead? _ahead;

    private CodePointAutomaton(
        IReadOnlyList<(CodePointSet On, int Target)>[] transitions, bool[] isEnd, int exploredCount)
    {
        _transitions = transitions;
        _isEnd = isEnd;
        ExploredCount = exploredCount;
    }

    /// <summary>Gets the number of states that were looked at to make it; some were of no use.</summary>
    public int ExploredCount { get; }

    /// <summary>Gets the number of states; 0 if no text fits.</summary>
    public int StateCount => _isEnd.Length;

    /// <summary>Gets where a state leads, one entry per target.</summary>
    public IReadOnlyList<(CodePointSet On, int Target)> Transitions(int state) => _transitions[state];

    /// <summary>Tells whether the text may end in a state.</summary>
    public bool IsEnd(int state) => _isEnd[state];

    /// <summary>Tells whether a whole text fits.</summary>
    public bool Matches(string text)
    {
        int state = StateCount == 0 ? -1 : 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            state = state < 0 ? state : Target(state, rune.Value);
        }

        return state >= 0 && IsEnd(state);
    }

    /// <summary>Explores an automaton from its start and drops the states from which no end can be reached.</summary>
    /// <param name="start">The start.</param>
    /// <param name="isEnd">Whether the text may end in a state.</param>
    /// <param name="next">Where a state leads; the sets must not overlap.</param>
    /// <param name="maxStates">The most states to explore.</param>
    /// <returns>The automaton, or <see langword="null"/> if it has too many states.</returns>
    public static CodePointAutomaton? Explore<TState>(
        TState start, Func<TState, bool> isEnd, Func<TState, IEnumerable<(CodePointSet On, TState Target)>> next, int maxStates)
        where TState : notnull
    {
        Dictionary<TState, int> numbers = new() { [start] = 0 };
        List<TState> states = [start];
        List<(CodePointSet On, int Target)[]> transitions = [];
        for (int state = 0; state < states.Count; state++)
        {
            List<(CodePointSet On, int Target)> leaving = [];
            foreach ((CodePointSet on, TState target) in next(states[state]))
            {
                if (!numbers.TryGetValue(target, out int number))
                {
                    number = states.Count;
                    if (number >= maxStates)
                    {
                        return null;
                    }

                    numbers.Add(target, number);
                    states.Add(target);
                }

                leaving.Add((on, number));
            }

            transitions.Add([.. leaving]);
        }

        return Trim(transitions, [.. states.Select(isEnd)]);
    }

    /// <summary>Returns the texts of both automata, or <see langword="null"/> if that has too many states.</summary>
    public CodePointAutomaton? Intersect(CodePointAutomaton other, int maxStates)
    {
        if (StateCount == 0 || other.StateCount == 0)
        {
            return new CodePointAutomaton([], [], exploredCount: 0);
        }

        return Explore(
            (Left: 0, Right: 0),
            pair => IsEnd(pair.Left) && other.IsEnd(pair.Right),
            pair =>
                from left in Transitions(pair.Left)
                from right in other.Transitions(pair.Right)
                let both = left.On.Intersect(right.On)
                where !both.IsEmpty
                select (both, (left.Target, right.Target)),
            maxStates);
    }

    /// <summary>Returns the texts of allowed length, or <see langword="null"/> if that has too many states.</summary>
    /// <param name="minimum">The fewest code points.</param>
    /// <param name="maximum">The most code points; negative for any number.</param>
    /// <param name="maxStates">The most states to explore.</param>
    public CodePointAutomaton? WithLength(int minimum, int maximum, int maxStates)
    {
        if (StateCount == 0 || (minimum == 0 && maximum < 0))
        {
            return this;
        }

        _ahead ??= new TextsAhead(this);
        (int State, int Length) start = Counted(0, 0);
        if (start.Length == NoLength)
        {
            return new CodePointAutomaton([], [], exploredCount: 0);
        }

        return Explore(
            start,
            pair => IsEnd(pair.State) && (pair.Length == AnyLength || pair.Length >= minimum),
            pair => Transitions(pair.State)
                .Select(step => (
                    step.On,
                    Target: pair.Length == AnyLength ? (step.Target, AnyLength) : Counted(step.Target, pair.Length + 1)))
                .Where(step => step.Target.Item2 != NoLength),
            maxStates);

        // A length is kept only where it tells which ends are allowed: not where all of them are, or none. Where it is kept, states
        // that differ only by texts too long for what is left are one.
        (int State, int Length) Counted(int state, int length)
        {
            long least = (long)length + _ahead.Shortest(state), most = (long)length + _ahead.Longest(state);
            return most < minimum || (maximum >= 0 && least > maximum) ? (state, NoLength)
                : least >= minimum && (maximum < 0 || most <= maximum) ? (state, AnyLength)
                : maximum < 0 ? (state, length)
                : (_ahead.Like(state, maximum - length), length);
        }
    }

    private int Target(int state, int codePoint)
    {
        foreach ((CodePointSet on, int target) in _transitions[state])
        {
            if (on.Contains(codePoint))
            {
                return target;
            }
        }

        return -1;
    }

    private static CodePointAutomaton Trim(List<(CodePointSet On, int Target)[]> transitions, bool[] isEnd)
    {
        bool[] isAlive = FindAlive(transitions, isEnd);
        int[] numbers = new int[isEnd.Length];
        int count = 0;
        for (int state = 0; state < isEnd.Length; state++)
        {
            numbers[state] = isAlive[state] ? count++ : -1;
        }

        if (!isAlive[0])
        {
            return new CodePointAutomaton([], [], isEnd.Length);
        }

        int[] kept = [.. Enumerable.Range(0, isEnd.Length).Where(state => isAlive[state])];
        return new CodePointAutomaton(
            [.. kept.Select(state => Merge(transitions[state].Where(step => isAlive[step.Target]), numbers))],
            [.. kept.Select(state => isEnd[state])],
            isEnd.Length);
    }

    private static bool[] FindAlive(List<(CodePointSet On, int Target)[]> transitions, bool[] isEnd)
    {
        List<int>[] sources = TextsAhead.Sources(transitions);
        bool[] isAlive = [.. isEnd];
        Stack<int> pending = new(Enumerable.Range(0, isEnd.Length).Where(state => isEnd[state]));
        while (pending.TryPop(out int state))
        {
            foreach (int source in sources[state])
            {
                if (!isAlive[source])
                {
                    isAlive[source] = true;
                    pending.Push(source);
                }
            }
        }

        return isAlive;
    }

    private static IReadOnlyList<(CodePointSet On, int Target)> Merge(
        IEnumerable<(CodePointSet On, int Target)> steps, int[] numbers) =>
    [
        .. steps.GroupBy(step => step.Target)
            .Select(group => (CodePointSet.Of(group.SelectMany(step => step.On.Ranges)), numbers[group.Key])),
    ];
}
