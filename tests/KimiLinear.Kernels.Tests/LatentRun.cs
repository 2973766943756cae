using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A latent layer on the emulated device.</summary>
internal sealed class LatentRun
{
    private readonly TestDevice _device;
    private readonly LatentLayer _layer;
    private readonly int _splits;
    private readonly DeviceBuffer _pages;
    private readonly LatentPrepareArguments _prepare;
    private readonly LatentAttendArguments _attend;
    private readonly LatentCombineArguments _combine;

    public LatentRun(TestDevice device, LatentLayer layer, int splits)
    {
        _device = device;
        _layer = layer;
        _splits = splits;
        int tokens = layer.TokenCount;
        int valueBytes = layer.IsBFloat16 ? sizeof(ushort) : sizeof(float);
        _pages = layer.IsBFloat16 ? device.Upload([.. layer.Pages.Select(LatentLayer.Round)]) : device.Upload(layer.Pages);
        Projected = device.Upload(layer.Projected);
        Positions = device.Upload(layer.Positions);
        Output = device.Reserve<float>(tokens * layer.OutputLength);
        nint keyValueUp = device.Upload(layer.KeyValueUp).Address;
        nint queries = device.Reserve<float>(tokens * layer.Heads * layer.RowLength).Address;
        nint sums = device.Reserve<float>(tokens * layer.Heads * splits * layer.Rank).Address;
        nint scales = device.Reserve<float>(tokens * layer.Heads * splits * 2).Address;
        LatentPages cache = new()
        {
            Pages = device.Upload(
                [.. layer.PageTable.Select(page => _pages.Address + (page * layer.PageLength * valueBytes))]).Address,
            PageStarts = device.Upload(layer.PageStarts).Address,
            Sequences = device.Upload(layer.Sequences).Address,
            Positions = Positions.Address,
            LayerOffset = (long)layer.LayerOffset * valueBytes,
            IsBFloat16 = layer.IsBFloat16 ? 1 : 0,
        };
        _prepare = new LatentPrepareArguments
        {
            Cache = cache,
            Projected = Projected.Address,
            Norm = device.Upload(layer.Norm).Address,
            KeyValueUp = keyValueUp,
            Queries = queries,
            Heads = layer.Heads,
            KeyDim = layer.KeyDim,
            SharedDim = layer.SharedDim,
            Rank = layer.Rank,
            ValueDim = layer.ValueDim,
            Epsilon = LatentLayer.Epsilon,
        };
        _attend = new LatentAttendArguments
        {
            Cache = cache,
            Queries = queries,
            Sums = sums,
            Scales = scales,
            Heads = layer.Heads,
            Rank = layer.Rank,
            RowLength = layer.RowLength,
        };
        _combine = new LatentCombineArguments
        {
            Sums = sums,
            Scales = scales,
            KeyValueUp = keyValueUp,
            Output = Output.Address,
            Heads = layer.Heads,
            KeyDim = layer.KeyDim,
            Rank = layer.Rank,
            ValueDim = layer.ValueDim,
            Splits = splits,
        };
    }

    public DeviceBuffer Projected { get; }

    public DeviceBuffer Positions { get; }

    public DeviceBuffer Output { get; }

    public void Launch()
    {
        _device.Kernels.LatentPrepare(_device.Stream, _prepare, _layer.TokenCount);
        _device.Kernels.LatentAttend(_device.Stream, _attend, _layer.TokenCount, _splits);
        _device.Kernels.LatentCombine(_device.Stream, _combine, _layer.TokenCount);
    }

    public double[] ReadCache() => _layer.IsBFloat16
        ? [.. _pages.Read<ushort>().Select(Exact.Value)]
        : [.. _pages.Read<float>().Select(value => (double)value)];
}
