namespace KimiLinear.Sampling;

/// <summary>
/// Makes an automaton of a regular expression: parts become states joined by empty steps, and sets of these its states.
/// </summary>
internal sealed class PatternCompiler
{
    private const int MaxParts = 20_000;

    // Of parts with ranges, where a pattern has many of both: some hundred milliseconds of work.
    private const long MaxComparisons = 10_000_000;

    private readonly List<List<(StepKind Kind, CodePointSet? On, int Target)>> _steps = [];
    private long _comparisonCount;

    private enum StepKind
    {
        /// <summary>Free of charge.</summary>
        Empty,

        /// <summary>Only where the text starts.</summary>
        Start,

        /// <summary>Only where the text ends.</summary>
        End,

        /// <summary>With one code point.</summary>
        CodePoint,
    }

    /// <summary>Compiles a pattern, which may match anywhere in the text, as JSON Schema has it.</summary>
    /// <returns>The automaton, or <see langword="null"/> if it cannot be made of this pattern.</returns>
    public static CodePointAutomaton? TryCompile(string pattern, int maxStates) =>
        PatternParser.TryParse(pattern) is { } root ? TryCompile(root, maxStates) : null;

    /// <summary>Compiles a pattern that has been read.</summary>
    /// <returns>The automaton, or <see langword="null"/> if it has too many states.</returns>
    public static CodePointAutomaton? TryCompile(PatternNode root, int maxStates)
    {
        PatternCompiler compiler = new();
        int start = compiler.AddState(), end = compiler.AddState();
        compiler.AddStep(start, StepKind.CodePoint, CodePointSet.All, start);
        compiler.AddStep(end, StepKind.CodePoint, CodePointSet.All, end);
        return compiler.TryAdd(root, start, end) ? compiler.Determine(start, end, maxStates) : null;
    }

    // Adds states that lead from one to another by texts of the part.
    private bool TryAdd(PatternNode node, int from, int to)
    {
        if (_steps.Count > MaxParts)
        {
            return false;
        }

        switch (node)
        {
            case PatternNode.OneOf(var set):
                AddStep(from, StepKind.CodePoint, set, to);
                return true;
            case PatternNode.Start:
                AddStep(from, StepKind.Start, null, to);
                return true;
            case PatternNode.End:
                AddStep(from, StepKind.End, null, to);
                return true;
            case PatternNode.Choice(var options):
                return options.All(option => TryAdd(option, from, to));
            case PatternNode.Sequence(var parts):
                return TryAddAll(parts, from, to);
            case PatternNode.Repeat repeat:
                return TryAddRepeat(repeat, from, to);
            default:
                return false;
        }
    }

    private bool TryAddAll(IEnumerable<PatternNode> parts, int from, int to)
    {
        foreach (PatternNode part in parts)
        {
            // A state of its own on both sides: a loop inside a part must not be entered by its neighbours.
            int next = AddState();
            if (!TryAdd(part, from, next))
            {
                return false;
            }

            from = next;
        }

        AddStep(from, StepKind.Empty, null, to);
        return true;
    }

    private bool TryAddRepeat(PatternNode.Repeat repeat, int from, int to)
    {
        int loop = AddState();
        if (!TryAddAll(Enumerable.Repeat(repeat.Item, repeat.Minimum), from, loop))
        {
            return false;
        }

        if (repeat.Maximum < 0)
        {
            int again = AddState();
            AddStep(loop, StepKind.Empty, null, to);
            AddStep(again, StepKind.Empty, null, loop);
            return TryAdd(repeat.Item, loop, again);
        }

        for (int count = repeat.Minimum; count < repeat.Maximum; count++)
        {
            int next = AddState();
            AddStep(loop, StepKind.Empty, null, to);
            if (!TryAdd(repeat.Item, loop, next))
            {
                return false;
            }

            loop = next;
        }

        AddStep(loop, StepKind.Empty, null, to);
        return true;
    }

    private CodePointAutomaton? Determine(int start, int end, int maxStates)
    {
        CodePointAutomaton? automaton = CodePointAutomaton.Explore(
            new StateSet(Close([start], isStart: true, isEnd: false), IsStart: true),
            set => Close(set.States, set.IsStart, isEnd: true).Contains(end),
            Next,
            maxStates);
        return _comparisonCount > MaxComparisons ? null : automaton;
    }

    private IEnumerable<(CodePointSet On, StateSet Target)> Next(StateSet set)
    {
        (CodePointSet On, int Target)[] steps =
        [
            .. set.States.SelectMany(state => _steps[state])
                .Where(step => step.Kind == StepKind.CodePoint)
                .Select(step => (step.On!, step.Target)),
        ];
        int[] cuts =
        [
            .. steps.SelectMany(step => step.On.Ranges).SelectMany(range => new[] { range.First, range.Last + 1 })
                .Distinct().Order(),
        ];
        _comparisonCount += (long)steps.Length * cuts.Length;
        if (_comparisonCount > MaxComparisons)
        {
            return [];
        }

        List<int> targets = [];
        HashSet<int> distinct = [];
        Dictionary<StateSet, List<CodePointRange>> reached = [];
        for (int i = 0; i + 1 < cuts.Length; i++)
        {
            targets.Clear();
            distinct.Clear();
            foreach ((CodePointSet on, int target) in steps)
            {
                if (on.Contains(cuts[i]) && distinct.Add(target))
                {
                    targets.Add(target);
                }
            }

            StateSet states = new([.. targets], IsStart: false);
            if (targets.Count > 0)
            {
                if (!reached.TryGetValue(states, out List<CodePointRange>? ranges))
                {
                    reached.Add(states, ranges = []);
                }

                ranges.Add(new CodePointRange(cuts[i], cuts[i + 1] - 1));
            }
        }

        return reached.GroupBy(pair => pair.Key with { States = Close(pair.Key.States, isStart: false, isEnd: false) })
            .Select(target => (CodePointSet.Of(target.SelectMany(pair => pair.Value)), target.Key));
    }

    // All states that are reached without a code point, ascending.
    private int[] Close(IEnumerable<int> states, bool isStart, bool isEnd)
    {
        HashSet<int> closed = [.. states];
        Stack<int> pending = new(closed);
        while (pending.TryPop(out int state))
        {
            foreach ((StepKind kind, _, int target) in _steps[state])
            {
                bool isFree = kind == StepKind.Empty || (kind == StepKind.Start && isStart) || (kind == StepKind.End && isEnd);
                if (isFree && closed.Add(target))
                {
                    pending.Push(target);
                }
            }
        }

        int[] sorted = [.. closed];
        Array.Sort(sorted);
        return sorted;
    }

    private int AddState()
    {
        _steps.Add([]);
        return _steps.Count - 1;
    }

    private void AddStep(int from, StepKind kind, CodePointSet? on, int to) => _steps[from].Add((kind, on, to));

    private readonly record struct StateSet(int[] States, bool IsStart)
    {
        public bool Equals(StateSet other) => IsStart == other.IsStart && States.AsSpan().SequenceEqual(other.States);

        public override int GetHashCode()
        {
            HashCode hash = default;
            foreach (int state in States)
            {
                hash.Add(state);
            }

            return hash.ToHashCode();
        }
    }
}
