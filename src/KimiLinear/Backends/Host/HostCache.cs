using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Slots and pages in native memory that grows without moving.</summary>
internal sealed unsafe class HostCache(CacheLayout layout) : CacheStorage(layout)
{
    private readonly List<NativeBuffer> _slots = [];
    private readonly PageSlabs _pages = new(layout.PageBytes);

    public override int SlotCount => _slots.Count;

    public override int PageCount => _pages.PageCount;

    public override long AllocatedBytes => (sizeof(float) * _slots.Count * Layout.SlotLength) + _pages.AllocatedBytes;

    public override int AddSlot()
    {
        _slots.Add(new NativeBuffer(Layout.SlotLength * sizeof(float)));
        return _slots.Count - 1;
    }

    public override int AddPage() => _pages.Add();

    /// <summary>The recurrent state of one layer.</summary>
    public float* State(int slot, int deltaLayer) => // [H, V, K]
        (float*)_slots[slot].Data + (deltaLayer * (Layout.StateLength + Layout.TailLength));

    /// <summary>The last inputs of one layer's convolutions, oldest first.</summary>
    public float* Tail(int slot, int deltaLayer) => State(slot, deltaLayer) + Layout.StateLength; // [W − 1, 3·H·K]

    /// <summary>One page in one layer, to be read and written by <see cref="LatentRows"/>.</summary>
    public byte* Page(int page, int latentLayer) => _pages[page] + (latentLayer * Layout.LayerPageBytes);

    public Span<float> Slot(int slot) => new(_slots[slot].Data, checked((int)Layout.SlotLength));

    public Span<byte> WholePage(int page) => new(_pages[page], checked((int)Layout.PageBytes));

    public override void Dispose()
    {
        foreach (NativeBuffer buffer in _slots)
        {
            buffer.Dispose();
        }

        _slots.Clear();
        _pages.Dispose();
    }
}
