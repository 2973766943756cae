using KimiLinear.Tensors;
using TorchSharp;

namespace KimiLinear.Backends;

/// <summary>Slots and pages as tensors; pages of a layer lie together, so that a sequence's are gathered at once.</summary>
internal sealed class TorchCache : CacheStorage
{
    private readonly List<torch.Tensor> _slots = []; // each [SlotLength]
    private readonly torch.Tensor[] _pages;          // per latent layer [capacity, PageTokens, R + P]
    private readonly torch.Device _device;
    private readonly torch.ScalarType _pageType;
    private int _pageCount;
    private long _capacity;

    public TorchCache(CacheLayout layout, torch.Device device)
        : base(layout)
    {
        _device = device;
        _pageType = layout.Precision switch
        {
            LatentPrecision.Float32 => torch.float32,
            LatentPrecision.BFloat16 => torch.bfloat16,
            _ => throw new NotSupportedException(
                $"Latent rows of type {layout.Precision} are for the CPU backend; on torch they are Float32 or BFloat16."),
        };
        _pages = [.. Enumerable.Range(0, layout.LatentLayerCount).Select(_ => EmptyPages(0))];
    }

    public override int SlotCount => _slots.Count;

    public override int PageCount => _pageCount;

    public override long AllocatedBytes => (sizeof(float) * _slots.Count * Layout.SlotLength) + (_capacity * Layout.PageBytes);

    public override int AddSlot()
    {
        _slots.Add(TorchOutOfMemory.Explain(
            "the state of a sequence", () => torch.empty(Layout.SlotLength, torch.float32, _device)));
        return _slots.Count - 1;
    }

    public override int AddPage()
    {
        if (_pageCount == _capacity)
        {
            Grow();
        }

        return _pageCount++;
    }

    public torch.Tensor Slot(int slot) => _slots[slot];

    /// <summary>The recurrent state of one layer, a view.</summary>
    public torch.Tensor State(int slot, int deltaLayer, int headCount, int headDim) => _slots[slot] // [H, V, K]
        .narrow(0, deltaLayer * (Layout.StateLength + Layout.TailLength), Layout.StateLength)
        .view(headCount, headDim, headDim);

    /// <summary>The last inputs of one layer's convolutions, oldest first, a view.</summary>
    public torch.Tensor Tail(int slot, int deltaLayer, int rowCount) => _slots[slot] // [W − 1, 3·H·K]
        .narrow(0, (deltaLayer * (Layout.StateLength + Layout.TailLength)) + Layout.StateLength, Layout.TailLength)
        .view(rowCount, -1);

    /// <summary>All pages of one layer.</summary>
    public torch.Tensor Pages(int latentLayer) => _pages[latentLayer]; // [capacity, PageTokens, R + P]

    public override void Dispose()
    {
        foreach (torch.Tensor tensor in (torch.Tensor[])[.. _slots, .. _pages])
        {
            tensor.Dispose();
        }

        _slots.Clear();
        _pageCount = 0;
        _capacity = 0;
    }

    // By half: a page is found by its number, so that all must lie together.
    private void Grow()
    {
        long capacity = Math.Max(4, _capacity + (_capacity / 2));
        for (int layer = 0; layer < _pages.Length; layer++)
        {
            torch.Tensor grown = EmptyPages(capacity);
            using (torch.NewDisposeScope())
            {
                grown.narrow(0, 0, _capacity).copy_(_pages[layer]);
            }

            _pages[layer].Dispose();
            _pages[layer] = grown;
        }

        _capacity = capacity;
    }

    private torch.Tensor EmptyPages(long count) => TorchOutOfMemory.Explain(
        "latent pages", () => torch.empty(count, CacheLayout.PageTokens, Layout.RowLength, _pageType, _device));
}
