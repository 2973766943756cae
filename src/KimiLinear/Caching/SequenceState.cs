using System.Diagnostics;
using KimiLinear.Backends;

namespace KimiLinear.Caching;

/// <summary>What a model remembers of one sequence of tokens: a state of fixed size, and one compressed row per token.</summary>
/// <remarks>
/// Made by the model it belongs to and owned by the caller, who disposes it to give the memory back. Not safe for concurrent
/// use; different sequences of one model may be used from different threads. Copying, saving and restoring happen on the
/// thread that runs the steps.
/// </remarks>
public sealed class SequenceState : IDisposable
{
    private const int NoSlot = -1;

    private readonly SequenceStatePool _pool;

    // Whether it only stays as it is, so that its page table need not have room for the longest context.
    private readonly bool _isKept;
    private int[] _pages = [];
    private int _pageCount;
    private int _slot = NoSlot;
    private bool _isInStep;
    private bool _disposed;

    internal SequenceState(SequenceStatePool pool, bool isKept = false)
    {
        _pool = pool;
        _isKept = isKept;
    }

    /// <summary>Gets the number of tokens seen so far.</summary>
    public int Length { get; private set; }

    internal SequenceStatePool Pool => _pool;

    internal void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_isInStep)
        {
            throw new InvalidOperationException(
                $"A step failed while it changed the sequence, which had {Length} tokens. Dispose it and start another.");
        }
    }

    /// <summary>Puts the sequence into a batch with new tokens, reserving the memory they need.</summary>
    internal void Join(ForwardBatch batch, ReadOnlySpan<int> tokenIds, LogitsRequest logits, bool isPrompt)
    {
        Reserve(tokenIds.Length);
        batch.Add(tokenIds, _slot, _pages, Length, logits, isPrompt);
    }

    /// <summary>From here on the recurrent state changes: if the step fails, the sequence cannot go on.</summary>
    internal void BeginStep() => _isInStep = true;

    /// <summary>Counts tokens in once a step has processed them.</summary>
    internal void EndStep(int tokenCount)
    {
        Length += tokenCount;
        _isInStep = false;
    }

    /// <summary>Pages the sequence would have to rent for so many more tokens.</summary>
    internal int PagesToRent(int newTokens) => CacheLayout.PagesFor(Length + newTokens) - _pageCount;

    /// <summary>Makes an independent copy that continues from the same point; full pages are shared with it.</summary>
    /// <param name="isKept">Whether it is not to be continued but copied again: it then holds no more than it needs.</param>
    internal SequenceState Fork(bool isKept = false)
    {
        ThrowIfUnusable();
        SequenceState copy = new(_pool, isKept);
        if (_slot == NoSlot)
        {
            return copy;
        }

        try
        {
            copy.Reserve(0);
            copy.EnsureTable(CacheLayout.PagesFor(Length));
            _pool.Backend.CopySlot(_pool.Storage, _slot, copy._slot);
            copy.SharePages(_pages.AsSpan(0, Length / CacheLayout.PageTokens));
            copy.Reserve(Length);
            if (Length % CacheLayout.PageTokens != 0)
            {
                int last = Length / CacheLayout.PageTokens;
                _pool.Backend.CopyPage(_pool.Storage, _pages[last], copy._pages[last]);
            }

            copy.Length = Length;
            return copy;
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    /// <summary>Copies the sequence out of the backend's memory.</summary>
    internal StateSnapshot Save()
    {
        ThrowIfUnusable();
        StateSnapshot snapshot = new(_pool.Storage.Layout, Length);
        if (_slot == NoSlot)
        {
            return snapshot;
        }

        try
        {
            _pool.Backend.SaveSlot(_pool.Storage, _slot, snapshot.Slot);
            for (int i = 0; i < snapshot.PageCount; i++)
            {
                _pool.Backend.SavePage(_pool.Storage, _pages[i], snapshot.Page(i));
            }

            return snapshot;
        }
        catch
        {
            snapshot.Dispose();
            throw;
        }
    }

    /// <summary>Puts an empty sequence where a snapshot was taken; if that fails half way, the sequence cannot go on.</summary>
    internal void Restore(StateSnapshot snapshot)
    {
        ThrowIfUnusable();
        Debug.Assert(Length == 0, "Only an empty sequence can be restored into.");
        if (snapshot.Length == 0)
        {
            return;
        }

        Reserve(snapshot.Length);
        _isInStep = true;
        _pool.Backend.RestoreSlot(_pool.Storage, _slot, snapshot.Slot);
        for (int i = 0; i < snapshot.PageCount; i++)
        {
            _pool.Backend.RestorePage(_pool.Storage, _pages[i], snapshot.Page(i));
        }

        Length = snapshot.Length;
        _isInStep = false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_slot != NoSlot)
        {
            _pool.Return(_slot, _pages, _pageCount);
        }
    }

    /// <summary>Makes the sequence as long as if it had seen tokens that it has not; what it remembers of them is zero.</summary>
    /// <remarks>For measuring how fast a long context is without the time to fill it.</remarks>
    internal void AppendUnseen(int tokenCount)
    {
        ThrowIfUnusable();
        Reserve(tokenCount);
        byte[] zeros = new byte[_pool.Storage.Layout.PageBytes];
        for (int i = CacheLayout.PagesFor(Length); i < CacheLayout.PagesFor(Length + tokenCount); i++)
        {
            _pool.Backend.RestorePage(_pool.Storage, _pages[i], zeros);
        }

        Length += tokenCount;
    }

    private void Reserve(int newTokens)
    {
        if (_slot == NoSlot)
        {
            RentClearSlot();
        }

        int needed = CacheLayout.PagesFor(Length + newTokens);
        EnsureTable(needed);
        while (_pageCount < needed)
        {
            _pages[_pageCount++] = _pool.RentPage();
        }
    }

    // The slot is the sequence's once it is clear: whoever tries again must not go on from what another sequence left there.
    private void RentClearSlot()
    {
        int slot = _isKept ? _pool.RentKeptSlot(out int[] pages) : _pool.RentSlot(out pages);
        try
        {
            _pool.Backend.ClearSlot(_pool.Storage, slot);
        }
        catch
        {
            _pool.Return(slot, pages, pageCount: 0);
            throw;
        }

        _slot = slot;
        _pages = pages;
    }

    private void SharePages(ReadOnlySpan<int> pages)
    {
        EnsureTable(pages.Length);
        foreach (int page in pages)
        {
            _pool.SharePage(page);
            _pages[_pageCount++] = page;
        }
    }

    private void EnsureTable(int length)
    {
        if (length > _pages.Length)
        {
            Array.Resize(ref _pages, Math.Max(length, _pages.Length * 2));
        }
    }
}
