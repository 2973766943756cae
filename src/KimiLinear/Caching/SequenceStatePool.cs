using KimiLinear.Backends;

namespace KimiLinear.Caching;

/// <summary>Decides which sequence has which slot and pages of a backend's cache, and takes them back.</summary>
/// <remarks>
/// Returning is allowed from any thread at any time. Reserving may grow the storage and so happens only on the thread that
/// runs the step.
/// </remarks>
internal sealed class SequenceStatePool(ComputeBackend backend, CacheLayout layout) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CacheStorage _storage = backend.CreateCache(layout);
    private readonly Stack<int> _freeSlots = new();
    private readonly Stack<int> _freePages = new();
    private int _sequenceCount;

    public CacheStorage Storage => _storage;

    public ComputeBackend Backend { get; } = backend;

    /// <summary>Sequences that hold memory now.</summary>
    public int SequenceCount => Volatile.Read(ref _sequenceCount);

    /// <summary>Bytes of the storage, in use or kept for the next sequence.</summary>
    public long AllocatedBytes => _storage.AllocatedBytes;

    public int RentSlot()
    {
        lock (_gate)
        {
            int slot = _freeSlots.TryPop(out int free) ? free : _storage.AddSlot();
            _sequenceCount++;
            return slot;
        }
    }

    public int RentPage()
    {
        lock (_gate)
        {
            return _freePages.TryPop(out int page) ? page : _storage.AddPage();
        }
    }

    public void Return(int slot, ReadOnlySpan<int> pages)
    {
        lock (_gate)
        {
            _sequenceCount--;
            _freeSlots.Push(slot);
            foreach (int page in pages)
            {
                _freePages.Push(page);
            }
        }
    }

    public void Dispose() => _storage.Dispose();
}
