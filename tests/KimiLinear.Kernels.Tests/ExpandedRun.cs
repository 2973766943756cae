using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A latent layer on the device in its expanded form, one sequence after the other, runs of keys behind each other.</summary>
internal sealed class ExpandedRun
{
    private readonly TestDevice _device;
    private readonly LatentLayer _layer;
    private readonly int _partCount;
    private readonly int _runKeys;
    private readonly DeviceBuffer _pages;
    private readonly DeviceBuffer _projected;
    private readonly DeviceBuffer _latents;
    private readonly DeviceBuffer _sharedKeys;
    private readonly DeviceBuffer _keyValues;
    private readonly DeviceBuffer _keyValueParts;
    private readonly DeviceBuffer _scales;
    private readonly LatentPages _cache;
    private readonly nint _keyValueUp;
    private readonly nint _norm;

    public ExpandedRun(TestDevice device, LatentLayer layer, int partCount, int runKeys)
    {
        (_device, _layer, _partCount, _runKeys) = (device, layer, partCount, runKeys);
        int valueBytes = layer.IsBFloat16 ? sizeof(ushort) : sizeof(float);
        int keyValueDim = layer.Heads * (layer.KeyDim + layer.ValueDim);
        _pages = layer.IsBFloat16 ? device.Upload([.. layer.Pages.Select(LatentLayer.Round)]) : device.Upload(layer.Pages);
        _projected = device.Upload(layer.Projected);
        _norm = device.Upload(layer.Norm).Address;
        _keyValueUp = device.Upload(layer.KeyValueUp).Address;
        _latents = device.Reserve<ushort>(partCount * runKeys * layer.Rank);
        _sharedKeys = device.Reserve<ushort>(partCount * runKeys * layer.SharedDim);
        _keyValues = device.Reserve<float>(runKeys * keyValueDim);
        _keyValueParts = device.Reserve<ushort>(partCount * runKeys * keyValueDim);
        _scales = device.Reserve<float>(layer.TokenCount * layer.Heads * 2);
        Output = device.Reserve<float>(layer.TokenCount * layer.OutputLength);
        _cache = new LatentPages
        {
            Pages = device.Upload(
                [.. layer.PageTable.Select(page => _pages.Address + (page * layer.PageLength * valueBytes))]).Address,
            PageStarts = device.Upload(layer.PageStarts).Address,
            Sequences = device.Upload(layer.Sequences).Address,
            Positions = device.Upload(layer.Positions).Address,
            LayerOffset = (long)layer.LayerOffset * valueBytes,
            IsBFloat16 = layer.IsBFloat16 ? 1 : 0,
        };
    }

    public DeviceBuffer Output { get; }

    public void Launch()
    {
        int[] sequences = _layer.Sequences;
        _device.Kernels.LatentAppend(_device.Stream, Preparation(), _layer.TokenCount);
        for (int sequence = 0; sequence <= sequences[^1]; sequence++)
        {
            int first = Array.IndexOf(sequences, sequence);
            int count = sequences.Count(other => other == sequence);
            Attend(sequence, first, count, _layer.Positions[first]);
        }
    }

    public double[] ReadCache() => _layer.IsBFloat16
        ? [.. _pages.Read<ushort>().Select(Exact.Value)]
        : [.. _pages.Read<float>().Select(value => (double)value)];

    private void Attend(int sequence, int first, int count, int position)
    {
        for (int firstKey = 0; firstKey < position + count; firstKey += _runKeys)
        {
            int keys = Math.Min(_runKeys, position + count - firstKey);
            Expand(sequence, firstKey, keys);
            _device.Prefill.ExpandedAttend(
                _device.Stream,
                new ExpandedAttendArguments
                {
                    Projected = _projected.Address + (first * _layer.ProjectedLength * sizeof(float)),
                    KeyValues = _keyValueParts.Address,
                    SharedKeys = _sharedKeys.Address,
                    Output = Output.Address + (first * _layer.OutputLength * sizeof(float)),
                    Scales = _scales.Address,
                    Heads = _layer.Heads,
                    KeyDim = _layer.KeyDim,
                    SharedDim = _layer.SharedDim,
                    ValueDim = _layer.ValueDim,
                    ProjectedLength = _layer.ProjectedLength,
                    Tokens = count,
                    Position = position,
                    FirstKey = firstKey,
                    Keys = keys,
                },
                _partCount);
        }
    }

    private void Expand(int sequence, int firstKey, int keys)
    {
        _device.Prefill.GatherLatent(
            _device.Stream,
            new GatherLatentArguments
            {
                Cache = _cache,
                Latents = _latents.Address,
                SharedKeys = _sharedKeys.Address,
                Sequence = sequence,
                FirstKey = firstKey,
                Keys = keys,
                Rank = _layer.Rank,
                SharedDim = _layer.SharedDim,
                PartCount = _partCount,
            });
        int keyValueDim = _layer.Heads * (_layer.KeyDim + _layer.ValueDim);
        _device.Prefill.MatMul(
            _device.Stream,
            new MatMulArguments
            {
                Input = _latents.Address,
                Weight = new WeightMatrix { Values = _keyValueUp },
                Output = _keyValues.Address,
                Columns = _layer.Rank,
                Outputs = keyValueDim,
                OutputStride = keyValueDim,
                Tokens = keys,
                Adds = 0,
            },
            _partCount);
        _device.Prefill.SplitRows(
            _device.Stream,
            new SplitRowsArguments
            {
                Input = _keyValues.Address,
                Norm = 0,
                Rows = 0,
                Parts = _keyValueParts.Address,
                Columns = keyValueDim,
                Tokens = keys,
                PartCount = _partCount,
                Epsilon = 0,
            });
    }

    private LatentPrepareArguments Preparation() => new()
    {
        Cache = _cache,
        Projected = _projected.Address,
        Norm = _norm,
        KeyValueUp = _keyValueUp,
        Queries = 0,
        Heads = _layer.Heads,
        KeyDim = _layer.KeyDim,
        SharedDim = _layer.SharedDim,
        Rank = _layer.Rank,
        ValueDim = _layer.ValueDim,
        Epsilon = LatentLayer.Epsilon,
    };
}
