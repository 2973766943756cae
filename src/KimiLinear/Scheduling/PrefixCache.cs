using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;

namespace KimiLinear.Scheduling;

/// <summary>Copies of sequences at points from which later requests may go on; the least recently used go first.</summary>
/// <remarks>
/// The recurrent state cannot be run backwards, so a prefix can be resumed only where a copy was taken: at the end of prompts and
/// of replies, where prompts were seen to part, and here and there inside long ones. Full pages are shared with the sequences
/// they come from. Copies that leave memory go to a folder if there is one.
/// </remarks>
internal sealed class PrefixCache(KimiLinearModel model, PrefixFolder? folder) : IDisposable
{
    // Resuming copies a state; below this many tokens, reading them again is cheaper.
    private const int FewestTokens = 16;

    private readonly PrefixTree<LinkedListNode<Entry>> _tree = new();
    private readonly LinkedList<Entry> _leastUsedFirst = [];

    /// <summary>How many copies there are in memory.</summary>
    public int Count => _leastUsedFirst.Count;

    /// <summary>How many copies there are in the folder.</summary>
    public int StoredCount => folder?.Count ?? 0;

    /// <summary>Bytes of the copies in the folder.</summary>
    public long StoredBytes => folder?.ByteCount ?? 0;

    /// <summary>Starts a sequence with the longest beginning of a prompt that is there; at least one token is left to read.</summary>
    /// <param name="tokens">The prompt.</param>
    /// <param name="makeRoom">Makes room in memory for so many bytes, or says that there is none.</param>
    /// <param name="branchAt">
    /// Receives where the prompt parts from what others began with, if that is further than what could be resumed: a copy there
    /// serves the next one. A whole number of pages, or 0.
    /// </param>
    public SequenceState Resume(ReadOnlySpan<int> tokens, Func<long, bool> makeRoom, out int branchAt)
    {
        int common = _tree.Find(tokens, tokens.Length - 1, out LinkedListNode<Entry>? found);
        int resumed = found?.Value.Sequence.Length ?? 0;
        if (folder?.Find(tokens, tokens.Length - 1) is { } stored
            && stored.Tokens.Length >= resumed + FewestTokens
            && folder.Resume(stored, makeRoom) is { } sequence)
        {
            branchAt = BranchAt(common, sequence.Length, tokens.Length);
            return sequence;
        }

        branchAt = BranchAt(common, resumed, tokens.Length);
        // Making room may have dropped it meanwhile.
        if (found?.List is null)
        {
            return model.CreateSequence();
        }

        found.Value.IsUsed = true;
        Touch(found);
        return model.Fork(found.Value.Sequence);
    }

    /// <summary>Keeps a copy of a sequence.</summary>
    /// <param name="tokens">All tokens that the sequence has read.</param>
    /// <param name="sequence">The sequence, which stays the caller's.</param>
    public void Keep(ReadOnlySpan<int> tokens, SequenceState sequence)
    {
        if (tokens.Length < FewestTokens)
        {
            return;
        }

        if (_tree.Get(tokens) is { } known)
        {
            Touch(known);
            return;
        }

        Entry entry = new(tokens.ToArray(), model.Fork(sequence, isKept: true));
        _tree.Set(tokens, _leastUsedFirst.AddLast(entry));
    }

    /// <summary>Keeps a sequence that is about to lose its memory in the folder, if there is one.</summary>
    /// <param name="tokens">All tokens that the sequence has read.</param>
    /// <param name="sequence">The sequence, which stays the caller's.</param>
    public void Store(ReadOnlySpan<int> tokens, SequenceState sequence)
    {
        if (tokens.Length >= FewestTokens)
        {
            folder?.Keep(tokens, sequence);
        }
    }

    /// <summary>Drops a copy in memory that nobody has gone on from.</summary>
    public void Forget(ReadOnlySpan<int> tokens)
    {
        if (_tree.Get(tokens) is { Value.IsUsed: false } node)
        {
            Drop(node);
        }
    }

    /// <summary>Gives the memory of the least recently used copy back.</summary>
    /// <returns>Whether there was one.</returns>
    public bool DropOne()
    {
        if (_leastUsedFirst.First is not { } first)
        {
            return false;
        }

        try
        {
            Store(first.Value.Tokens, first.Value.Sequence);
        }
#pragma warning disable CA1031 // Nobody waits for the copy; what matters is that its memory is given back.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        Drop(first);
        return true;
    }

    public void Dispose()
    {
        while (_leastUsedFirst.First is { } first)
        {
            Drop(first);
        }

        folder?.Dispose();
    }

    private static int BranchAt(int common, int resumed, int length)
    {
        int pageEnd = common / CacheLayout.PageTokens * CacheLayout.PageTokens;
        return pageEnd > resumed && pageEnd < length ? pageEnd : 0;
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        _leastUsedFirst.Remove(node);
        _tree.Remove(node.Value.Tokens);
        node.Value.Sequence.Dispose();
    }

    private void Touch(LinkedListNode<Entry> node)
    {
        _leastUsedFirst.Remove(node);
        _leastUsedFirst.AddLast(node);
    }

    private sealed record Entry(int[] Tokens, SequenceState Sequence)
    {
        public bool IsUsed { get; set; }
    }
}
