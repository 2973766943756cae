namespace KimiLinear.Scheduling;

/// <summary>Where copies are kept inside a long prompt, so that one that differs late need not be read from its beginning.</summary>
/// <remarks>A bounded number, whatever the length: when there are too many, every second goes and later ones stand twice as far apart.</remarks>
/// <param name="start">How much of the prompt is resumed; nothing before it needs another copy.</param>
internal sealed class LongPromptCopies(int start)
{
    /// <summary>Tokens between two copies, as long as there are few.</summary>
    public const int FirstSpacing = 8192;

    /// <summary>The most copies of a prompt.</summary>
    public const int MaxCount = 8;

    private readonly List<int> _lengths = [];
    private int _spacing = FirstSpacing;

    /// <summary>Whether a copy is due now that so much has been read.</summary>
    public bool IsDue(int length) => length / _spacing > (_lengths.Count == 0 ? start : _lengths[^1]) / _spacing;

    /// <summary>Notes a copy.</summary>
    /// <returns>The lengths whose copies are to go.</returns>
    public IReadOnlyList<int> Add(int length)
    {
        _lengths.Add(length);
        if (_lengths.Count <= MaxCount)
        {
            return [];
        }

        int[] gone = [.. _lengths.Where((_, index) => index % 2 == 0)];
        _lengths.RemoveAll(gone.Contains);
        _spacing *= 2;
        return gone;
    }
}
