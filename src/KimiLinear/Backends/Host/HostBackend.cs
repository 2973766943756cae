using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>What the backends in host memory share: how weights, buffers and sequence memory lie.</summary>
internal abstract unsafe class HostBackend(KimiLinearConfig config) : ComputeBackend(config)
{
    public override Tensor Bind(WeightRole role, params ReadOnlySpan<StoredTensor> parts) => role switch
    {
        WeightRole.Vector => BindVector(parts[0]),
        WeightRole.Convolution => BindConvolution(parts[0]),
        WeightRole.ExpertGateUp => new HostExperts(this, partsPerExpert: 2, parts),
        WeightRole.ExpertDown => new HostExperts(this, partsPerExpert: 1, parts),
        _ => new HostMatrix(this, parts),
    };

    public override Tensor Allocate(long rows, long columns) => new HostBuffer(this, new Shape(rows, columns));

    public override CacheStorage CreateCache(CacheLayout layout) => new HostCache(layout);

    public override void Embed(Tensor embedding, ForwardBatch batch, Tensor hidden)
    {
        var table = (HostMatrix)embedding;
        float* destination = ((HostBuffer)hidden).Data;
        foreach (int id in batch.TokenIds)
        {
            table.ReadRow(id, destination);
            destination += table.ColumnCount;
        }
    }

    public override void Download(Tensor source, Span<float> destination) =>
        new ReadOnlySpan<float>(((HostBuffer)source).Data, destination.Length).CopyTo(destination);

    public override void Upload(ReadOnlySpan<float> source, Tensor destination) =>
        source.CopyTo(new Span<float>(((HostBuffer)destination).Data, source.Length));

    public override void ClearSlot(CacheStorage cache, int slot) => ((HostCache)cache).Slot(slot).Clear();

    public override void CopySlot(CacheStorage cache, int fromSlot, int toSlot) =>
        ((HostCache)cache).Slot(fromSlot).CopyTo(((HostCache)cache).Slot(toSlot));

    public override void CopyPage(CacheStorage cache, int fromPage, int toPage) =>
        ((HostCache)cache).WholePage(fromPage).CopyTo(((HostCache)cache).WholePage(toPage));

    public override void SaveSlot(CacheStorage cache, int slot, Span<float> destination) =>
        ((HostCache)cache).Slot(slot).CopyTo(destination);

    public override void RestoreSlot(CacheStorage cache, int slot, ReadOnlySpan<float> source) =>
        source.CopyTo(((HostCache)cache).Slot(slot));

    public override void SavePage(CacheStorage cache, int page, Span<byte> destination) =>
        ((HostCache)cache).WholePage(page).CopyTo(destination);

    public override void RestorePage(CacheStorage cache, int page, ReadOnlySpan<byte> source) =>
        source.CopyTo(((HostCache)cache).WholePage(page));

    private HostBuffer BindVector(StoredTensor stored)
    {
        // A vector may come in any shape; it is read in order.
        long lastAxis = stored.Shape.Rank == 0 ? 1 : stored.Shape[stored.Shape.Rank - 1];
        long rows = lastAxis == 0 ? 0 : stored.Shape.ElementCount / lastAxis;
        HostBuffer buffer = new(this, new Shape(rows, lastAxis));
        StoredValues.CopyTo(stored, buffer.Span);
        return buffer;
    }

    private HostBuffer BindConvolution(StoredTensor stored)
    {
        int taps = Config.ConvolutionWidth;
        int channels = (int)(stored.Shape.ElementCount / taps);
        using HostBuffer inFileOrder = new(this, new Shape(channels, taps));
        StoredValues.CopyTo(stored, inFileOrder.Span);
        HostBuffer buffer = new(this, new Shape(taps, channels));
        for (int channel = 0; channel < channels; channel++)
        {
            for (int tap = 0; tap < taps; tap++)
            {
                buffer.Data[((long)tap * channels) + channel] = inFileOrder.Data[((long)channel * taps) + tap];
            }
        }

        return buffer;
    }
}
