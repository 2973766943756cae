using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;

namespace KimiLinear.Pruning;

/// <summary>Sends calibration data through a model, or a layer of one, in steps that depend on the data alone.</summary>
/// <remarks>
/// A group is some whole sequences that fit a step together, or one that is longer than a step and is read in pieces. Between
/// groups no sequence is under way, so that a pass can stop there and go on later.
/// </remarks>
internal sealed class CalibrationPass
{
    private readonly IReadOnlyList<int[]> _sequences;
    private readonly int _stepTokens;
    private readonly int[] _starts; // where each group begins, and at last where they end

    public CalibrationPass(IReadOnlyList<int[]> sequences, int stepTokens)
    {
        _sequences = sequences;
        _stepTokens = stepTokens;
        List<int> starts = [0];
        long tokens = sequences[0].Length;
        for (int i = 1; i < sequences.Count; i++)
        {
            tokens += sequences[i].Length;
            if (tokens > stepTokens)
            {
                starts.Add(i);
                tokens = sequences[i].Length;
            }
        }

        _starts = [.. starts, sequences.Count];
    }

    public delegate void StepAction(ReadOnlySpan<BatchEntry> entries);

    public int GroupCount => _starts.Length - 1;

    /// <summary>The tokens of all groups before one.</summary>
    public long TokensBefore(int group) => _sequences.Take(_starts[group]).Sum(sequence => (long)sequence.Length);

    /// <summary>Runs the groups from one on.</summary>
    /// <param name="firstGroup">The first to run.</param>
    /// <param name="createSequence">Makes an empty sequence.</param>
    /// <param name="forward">Runs a step.</param>
    /// <param name="groupDone">Told after each group how many are done.</param>
    /// <param name="cancellationToken">Stops it between steps.</param>
    public void Run(
        int firstGroup,
        Func<SequenceState> createSequence,
        StepAction forward,
        Action<int> groupDone,
        CancellationToken cancellationToken)
    {
        for (int group = firstGroup; group < GroupCount; group++)
        {
            List<SequenceState> states = [];
            try
            {
                for (int i = _starts[group]; i < _starts[group + 1]; i++)
                {
                    states.Add(createSequence());
                }

                RunGroup(group, states, forward, cancellationToken);
            }
            finally
            {
                states.ForEach(state => state.Dispose());
            }

            groupDone(group + 1);
        }
    }

    private void RunGroup(int group, List<SequenceState> states, StepAction forward, CancellationToken cancellationToken)
    {
        int longest = states.Count == 1 ? _sequences[_starts[group]].Length : _stepTokens;
        for (int start = 0; start < longest; start += _stepTokens)
        {
            cancellationToken.ThrowIfCancellationRequested();
            BatchEntry[] entries = new BatchEntry[states.Count];
            for (int i = 0; i < entries.Length; i++)
            {
                int[] ids = _sequences[_starts[group] + i];
                int count = Math.Min(_stepTokens, ids.Length - start);
                entries[i] = new BatchEntry(states[i], ids.AsMemory(start, count), LogitsRequest.None, IsPrompt: true);
            }

            forward(entries);
        }
    }
}
