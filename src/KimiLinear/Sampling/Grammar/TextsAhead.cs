using System.Runtime.InteropServices;

namespace KimiLinear.Sampling;

/// <summary>What is known of the texts that lead from each state of an automaton to an end.</summary>
internal sealed class TextsAhead
{
    // States are told apart by texts of at most so many code points, the labels of a domain; longer ones take too long to compare.
    private const int MaxCompared = 63;

    private const int Endless = int.MaxValue;

    private readonly CodePointAutomaton _automaton;
    private readonly int[] _shortest;
    private readonly int[] _longest;

    // By length, and then by state.
    private readonly int[][] _like = new int[MaxCompared + 1][];

    /// <summary>Initializes a new instance of the <see cref="TextsAhead"/> class.</summary>
    /// <param name="automaton">The automaton, which has states.</param>
    public TextsAhead(CodePointAutomaton automaton)
    {
        _automaton = automaton;
        _shortest = new int[automaton.StateCount];
        _longest = new int[automaton.StateCount];
        MeasureTexts();
        CompareStates();
    }

    /// <summary>Returns the code points of the shortest text.</summary>
    public int Shortest(int state) => _shortest[state];

    /// <summary>Returns the code points of the longest text; the greatest number if there is none.</summary>
    public int Longest(int state) => _longest[state];

    /// <summary>Returns a state with the same texts, as far as they have no more code points; the same for all that do.</summary>
    public int Like(int state, int length) => length <= MaxCompared ? _like[length][state] : state;

    /// <summary>Returns the states that lead to each, as often as they do.</summary>
    public static List<int>[] Sources(IReadOnlyList<IReadOnlyList<(CodePointSet On, int Target)>> transitions)
    {
        List<int>[] sources = [.. transitions.Select(_ => new List<int>())];
        for (int state = 0; state < transitions.Count; state++)
        {
            foreach ((_, int target) in transitions[state])
            {
                sources[target].Add(state);
            }
        }

        return sources;
    }

    private void MeasureTexts()
    {
        int[] states = [.. Enumerable.Range(0, _automaton.StateCount)];
        List<int>[] sources = Sources([.. states.Select(_automaton.Transitions)]);
        Array.Fill(_shortest, Endless);
        Queue<int> pending = new(states.Where(_automaton.IsEnd));
        foreach (int end in pending)
        {
            _shortest[end] = 0;
        }

        while (pending.TryDequeue(out int state))
        {
            foreach (int source in sources[state].Where(source => _shortest[source] == Endless))
            {
                _shortest[source] = _shortest[state] + 1;
                pending.Enqueue(source);
            }
        }

        // A state's turn comes once all that it leads to have had theirs, which in a circle is never.
        Array.Fill(_longest, Endless);
        int[] open = [.. states.Select(state => _automaton.Transitions(state).Count)];
        pending = new(states.Where(state => open[state] == 0));
        while (pending.TryDequeue(out int state))
        {
            _longest[state] = _automaton.Transitions(state).Select(step => _longest[step.Target] + 1).DefaultIfEmpty(0).Max();
            foreach (int source in sources[state].Where(source => --open[source] == 0))
            {
                pending.Enqueue(source);
            }
        }
    }

    // States are alike up to a length if the same code points lead to states that are alike up to one less. Some that are alike by
    // other sets of the same code points are not found.
    private void CompareStates()
    {
        Dictionary<string, int> sets = [];
        (int Set, int Target)[][] steps =
        [
            .. Enumerable.Range(0, _automaton.StateCount).Select(state =>
                _automaton.Transitions(state).Select(step => (Number(sets, Key<CodePointRange>([.. step.On.Ranges])), step.Target)).ToArray()),
        ];
        List<long> seen = [];
        for (int length = 0; length <= MaxCompared; length++)
        {
            Dictionary<string, int> first = [];
            _like[length] = new int[steps.Length];
            for (int state = 0; state < steps.Length; state++)
            {
                seen.Clear();
                foreach ((int set, int target) in steps[state])
                {
                    if (_shortest[target] < length)
                    {
                        seen.Add(((long)_like[length - 1][target] << 32) | (uint)set);
                    }
                }

                seen.Sort();
                seen.Add(_automaton.IsEnd(state) ? 1 : 0);
                string key = Key<long>(CollectionsMarshal.AsSpan(seen));
                if (!first.TryGetValue(key, out _like[length][state]))
                {
                    first.Add(key, state);
                    _like[length][state] = state;
                }
            }
        }
    }

    private static int Number(Dictionary<string, int> numbers, string key)
    {
        numbers.TryAdd(key, numbers.Count);
        return numbers[key];
    }

    private static string Key<T>(ReadOnlySpan<T> items)
        where T : struct => MemoryMarshal.Cast<T, char>(items).ToString();
}
