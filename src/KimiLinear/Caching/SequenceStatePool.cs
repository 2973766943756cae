using KimiLinear.Backends;

namespace KimiLinear.Caching;

/// <summary>Decides which sequence has which slot and pages of a backend's cache, and takes them back.</summary>
/// <remarks>
/// Returning is allowed from any thread at any time. Reserving may grow the storage and so happens only on the thread that
/// runs the step. A full page may belong to several sequences: nobody writes to it any more, and the last one gives it back.
/// </remarks>
internal sealed class SequenceStatePool(ComputeBackend backend, CacheLayout layout) : IDisposable
{
    // A million tokens: page tables of this length grow in no step, and longer ones are not made before they are needed.
    private const int MaxInitialTableLength = 16 * 1024;

    private readonly int _tableLength = InitialTableLength(backend);

    private readonly Lock _gate = new();
    private readonly CacheStorage _storage = backend.CreateCache(layout);
    private readonly Stack<int> _freeSlots = new();
    private readonly Stack<int> _freePages = new();
    private readonly Stack<int[]> _freeTables = new();
    private int[] _pageOwners = new int[InitialTableLength(backend)];
    private int _sequenceCount;

    public CacheStorage Storage => _storage;

    public ComputeBackend Backend { get; } = backend;

    /// <summary>Sequences that hold memory now.</summary>
    public int SequenceCount => Volatile.Read(ref _sequenceCount);

    /// <summary>Bytes of the storage, in use or kept for the next sequence.</summary>
    public long AllocatedBytes => _storage.AllocatedBytes;

    /// <summary>Bytes that sequences hold now; a page that several share counts once.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
            {
                return ((_storage.SlotCount - _freeSlots.Count) * SlotBytes)
                    + ((_storage.PageCount - _freePages.Count) * _storage.Layout.PageBytes);
            }
        }
    }

    /// <summary>Bytes of a slot.</summary>
    public long SlotBytes => _storage.Layout.SlotLength * sizeof(float);

    /// <summary>A slot, and an array for page numbers that has room for the model's longest context.</summary>
    public int RentSlot(out int[] pageTable)
    {
        lock (_gate)
        {
            pageTable = _freeTables.TryPop(out int[]? table) ? table : new int[_tableLength];
            return TakeSlot();
        }
    }

    /// <summary>A slot, and an array for page numbers that has yet to grow.</summary>
    public int RentKeptSlot(out int[] pageTable)
    {
        lock (_gate)
        {
            pageTable = [];
            return TakeSlot();
        }
    }

    public int RentPage()
    {
        lock (_gate)
        {
            int page = _freePages.TryPop(out int free) ? free : _storage.AddPage();
            if (page >= _pageOwners.Length)
            {
                Array.Resize(ref _pageOwners, Math.Max(page + 1, _pageOwners.Length * 2));
            }

            _pageOwners[page] = 1;
            return page;
        }
    }

    /// <summary>Gives a page that is in use one more owner.</summary>
    public void SharePage(int page)
    {
        lock (_gate)
        {
            _pageOwners[page]++;
        }
    }

    public void Return(int slot, int[] pageTable, int pageCount)
    {
        lock (_gate)
        {
            _sequenceCount--;
            _freeSlots.Push(slot);
            if (pageTable.Length >= _tableLength)
            {
                _freeTables.Push(pageTable);
            }

            foreach (int page in pageTable.AsSpan(0, pageCount))
            {
                if (--_pageOwners[page] == 0)
                {
                    _freePages.Push(page);
                }
            }
        }
    }

    public void Dispose() => _storage.Dispose();

    private int TakeSlot()
    {
        int slot = _freeSlots.TryPop(out int free) ? free : _storage.AddSlot();
        _sequenceCount++;
        return slot;
    }

    private static int InitialTableLength(ComputeBackend backend) =>
        Math.Min(CacheLayout.PagesFor(backend.Config.MaxContextTokens), MaxInitialTableLength);
}
