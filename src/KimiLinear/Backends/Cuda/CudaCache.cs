using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Slots and pages in the memory of a GPU, which grows without moving.</summary>
internal sealed class CudaCache : CacheStorage
{
    // Pages come in slabs of about this size, so that taking memory from the driver is rare.
    private const long SlabBytes = 16L << 20;

    private readonly CudaDevice _device;
    private readonly List<CudaArena> _arenas = [];
    private readonly List<CudaRegion> _slots = [];
    private readonly List<CudaRegion> _pages = [];
    private CudaArena? _slab;

    /// <exception cref="NotSupportedException">The kernels do not take rows of this precision.</exception>
    public CudaCache(CudaDevice device, CacheLayout layout)
        : base(layout)
    {
        if (layout.Precision == LatentPrecision.Int16)
        {
            throw new NotSupportedException(
                $"Latent rows of type {layout.Precision} are for the CPU backend; on a GPU they are Float32 or BFloat16.");
        }

        _device = device;
        UnreadPage = NewPage();
    }

    /// <summary>A page for tokens that only fill up a batch; nobody reads it.</summary>
    public CudaRegion UnreadPage { get; }

    public override int SlotCount => _slots.Count;

    public override int PageCount => _pages.Count;

    public override long AllocatedBytes => _arenas.Sum(arena => arena.ByteCount);

    public override int AddSlot()
    {
        CudaArena arena = Take("the state of a sequence", Layout.SlotLength * sizeof(float));
        _slots.Add(arena.Reserve("slot", Layout.SlotLength * sizeof(float)));
        return _slots.Count - 1;
    }

    public override int AddPage()
    {
        _pages.Add(NewPage());
        return _pages.Count - 1;
    }

    public CudaRegion Slot(int slot) => _slots[slot];

    public CudaRegion Page(int page) => _pages[page];

    public override void Dispose()
    {
        foreach (CudaArena arena in _arenas)
        {
            arena.Dispose();
        }

        _arenas.Clear();
        _slots.Clear();
        _pages.Clear();
    }

    private CudaRegion NewPage()
    {
        if (_slab is null || _slab.ByteCount - _slab.UsedBytes < Layout.PageBytes)
        {
            long page = CudaArena.Aligned(Layout.PageBytes);
            _slab = Take("latent pages", Math.Max(1, SlabBytes / Math.Max(1, page)) * page);
        }

        return _slab.Reserve("page", Layout.PageBytes);
    }

    private CudaArena Take(string purpose, long byteCount)
    {
        // Whoever asks may be any thread.
        _device.MakeCurrent();
        CudaArena arena = new(_device, purpose, Math.Max(1, byteCount));
        _arenas.Add(arena);
        return arena;
    }
}
