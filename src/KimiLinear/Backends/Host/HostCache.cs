using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Slots and pages in native float32 memory, each a buffer of its own, so that the cache grows without moving.</summary>
internal sealed unsafe class HostCache(CacheLayout layout) : CacheStorage(layout)
{
    private readonly List<NativeBuffer> _slots = [];
    private readonly List<NativeBuffer> _pages = [];

    public override int SlotCount => _slots.Count;

    public override int PageCount => _pages.Count;

    public override long AllocatedBytes =>
        sizeof(float) * ((_slots.Count * Layout.SlotLength) + (_pages.Count * Layout.PageLength));

    public override int AddSlot()
    {
        _slots.Add(new NativeBuffer(Layout.SlotLength * sizeof(float)));
        return _slots.Count - 1;
    }

    public override int AddPage()
    {
        _pages.Add(new NativeBuffer(Layout.PageLength * sizeof(float)));
        return _pages.Count - 1;
    }

    /// <summary>The recurrent state of one layer.</summary>
    public float* State(int slot, int deltaLayer) => // [H, V, K]
        (float*)_slots[slot].Data + (deltaLayer * (Layout.StateLength + Layout.TailLength));

    /// <summary>The last inputs of one layer's convolutions, oldest first.</summary>
    public float* Tail(int slot, int deltaLayer) => State(slot, deltaLayer) + Layout.StateLength; // [W − 1, 3·H·K]

    /// <summary>The rows of one page in one layer.</summary>
    public float* Page(int page, int latentLayer) => // [PageTokens, R + P]
        (float*)_pages[page].Data + ((long)latentLayer * CacheLayout.PageTokens * Layout.RowLength);

    /// <summary>The latent row of one cached token.</summary>
    public float* Row(int[] pageTable, int position, int latentLayer) => // [R + P]
        Page(pageTable[position / CacheLayout.PageTokens], latentLayer)
        + (position % CacheLayout.PageTokens * (long)Layout.RowLength);

    public Span<float> Slot(int slot) => new(_slots[slot].Data, checked((int)Layout.SlotLength));

    public Span<float> WholePage(int page) => new(_pages[page].Data, checked((int)Layout.PageLength));

    public override void Dispose()
    {
        foreach (NativeBuffer buffer in _slots.Concat(_pages))
        {
            buffer.Dispose();
        }

        _slots.Clear();
        _pages.Clear();
    }
}
