namespace KimiLinear.Calibration;

/// <summary>Puts the tokens of records into sequences.</summary>
internal sealed class SequenceBuilder(int maxTokens, bool packs)
{
    private readonly List<int[]> _sequences = [];
    private readonly List<int> _row = [];

    public long TokenCount { get; private set; }

    /// <summary>Adds a record, or its beginning where no more has room.</summary>
    /// <returns>How many of its tokens were taken.</returns>
    public int Add(ReadOnlySpan<int> ids)
    {
        int count = Math.Min(ids.Length, maxTokens - _row.Count);
        TokenCount += count;
        _row.AddRange(ids[..count]);
        if (!packs || _row.Count == maxTokens)
        {
            EndRow();
        }

        return count;
    }

    public IReadOnlyList<int[]> Build()
    {
        EndRow();
        return _sequences;
    }

    private void EndRow()
    {
        if (_row.Count > 0)
        {
            _sequences.Add([.. _row]);
            _row.Clear();
        }
    }
}
