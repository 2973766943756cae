using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A Kimi Delta layer's weights, inputs and slots, and what comes out of them in float64.</summary>
internal sealed class DeltaLayer
{
    private const float Epsilon = 1e-5f;

    // What a slot holds besides this layer.
    private const int Before = 13;
    private const int Behind = 5;
    private const int SlotCount = 4;

    private readonly int _heads;
    private readonly int _headDim;
    private readonly int _taps;
    private readonly int _decayRank;
    private readonly int _gateRank;
    private readonly int[] _offsets;
    private readonly int[] _slotIds;
    private readonly float[] _projected;
    private readonly float[][] _convolutions;
    private readonly ushort[] _decayUp;
    private readonly float[] _decayLog;
    private readonly float[] _decayBias;
    private readonly ushort[] _gateUp;
    private readonly float[] _norm;

    // The decay is how far the logarithms of the decays' rates are from zero at most.
    public DeltaLayer(
        Samples samples, int heads, int headDim, int taps, int decayRank, int gateRank, int[] tokenCounts, float decay = 2)
    {
        (_heads, _headDim, _taps, _decayRank, _gateRank) = (heads, headDim, taps, decayRank, gateRank);
        Width = heads * headDim;
        TokenCount = tokenCounts.Sum();
        _offsets = [0, .. tokenCounts.Select((_, i) => tokenCounts[..(i + 1)].Sum())];
        _slotIds = [.. Enumerable.Range(0, tokenCounts.Length).Select(i => ((3 * i) + 2) % SlotCount)];
        _projected = samples.Floats(TokenCount * RowLength, 2);
        _convolutions = [.. Enumerable.Range(0, 3).Select(_ => samples.Floats(taps * Width))];
        _decayUp = samples.Matrix(Width, decayRank);
        _decayLog = samples.Floats(heads, decay);
        _decayBias = samples.Floats(Width, 2);
        _gateUp = samples.Matrix(Width, gateRank);
        _norm = samples.Norm(headDim);
        Slots = samples.Floats(SlotCount * SlotStride);
    }

    public int Width { get; }

    public int TokenCount { get; }

    public float[] Slots { get; }

    /// <summary>Of a sequence, from the beginning of the slots in bytes.</summary>
    public int SlotOffset(int sequence) => _slotIds[sequence] * SlotStride * sizeof(float);

    /// <summary>The first token of a sequence.</summary>
    public int FirstToken(int sequence) => _offsets[sequence];

    public int RowLength => (3 * Width) + _decayRank + _gateRank + _heads;

    private int StateLength => _heads * _headDim * _headDim;

    private int TailOffset => Before + StateLength;

    private int SlotStride => TailOffset + ((_taps - 1) * 3 * Width) + Behind;

    public KimiDeltaArguments Upload(TestDevice device, DeviceBuffer slots, DeviceBuffer output) => new()
    {
        Projected = device.Upload(_projected).Address,
        QueryTaps = device.Upload(_convolutions[0]).Address,
        KeyTaps = device.Upload(_convolutions[1]).Address,
        ValueTaps = device.Upload(_convolutions[2]).Address,
        DecayUp = device.Upload(_decayUp).Address,
        DecayLog = device.Upload(_decayLog).Address,
        DecayBias = device.Upload(_decayBias).Address,
        GateUp = device.Upload(_gateUp).Address,
        Norm = device.Upload(_norm).Address,
        Slots = UploadSlots(device, slots),
        Offsets = device.Upload(_offsets).Address,
        Output = output.Address,
        StateOffset = Before,
        TailOffset = TailOffset,
        Heads = _heads,
        HeadDim = _headDim,
        Taps = _taps,
        DecayRank = _decayRank,
        GateRank = _gateRank,
        Epsilon = Epsilon,
    };

    public nint UploadSlots(TestDevice device, DeviceBuffer slots) =>
        device.Upload([.. _slotIds.Select(id => slots.Address + (id * SlotStride * sizeof(float)))]).Address;

    public (double[] Output, double[] Slots) Compute()
    {
        double[] slots = [.. Slots.Select(value => (double)value)];
        double[] output = new double[TokenCount * Width];
        for (int sequence = 0; sequence < _slotIds.Length; sequence++)
        {
            Span<double> slot = slots.AsSpan(_slotIds[sequence] * SlotStride, SlotStride);
            for (int t = _offsets[sequence]; t < _offsets[sequence + 1]; t++)
            {
                Step(Exact.Row(_projected, t, RowLength), slot, output.AsSpan(t * Width, Width));
            }
        }

        return (output, slots);
    }

    private void Step(double[] row, Span<double> slot, Span<double> output)
    {
        Span<double> tail = slot.Slice(TailOffset, (_taps - 1) * 3 * Width);
        double[] convolved = new double[3 * Width];
        for (int channel = 0; channel < 3 * Width; channel++)
        {
            double sum = 0;
            for (int w = 0; w < _taps; w++)
            {
                double input = w == _taps - 1 ? row[channel] : tail[(w * 3 * Width) + channel];
                sum += _convolutions[channel / Width][(w * Width) + (channel % Width)] * input;
            }

            convolved[channel] = Exact.Silu(sum);
        }

        if (_taps > 1)
        {
            tail[(3 * Width)..].CopyTo(tail);
            row.AsSpan(0, 3 * Width).CopyTo(tail[^(3 * Width)..]);
        }

        double[] decay = Exact.Project(_decayUp, row[(3 * Width)..(3 * Width + _decayRank)], 0, Width);
        double[] gate = Exact.Project(
            _gateUp, row[(3 * Width + _decayRank)..(3 * Width + _decayRank + _gateRank)], 0, Width);
        for (int head = 0; head < _heads; head++)
        {
            int first = head * _headDim;
            double[] q = Normalized(convolved.AsSpan(first, _headDim), 1 / Math.Sqrt(_headDim));
            double[] k = Normalized(convolved.AsSpan(Width + first, _headDim), 1);
            double beta = Exact.Sigmoid(row[RowLength - _heads + head]);
            double[] result = new double[_headDim];
            for (int j = 0; j < _headDim; j++)
            {
                Span<double> state = slot.Slice(Before + ((first + j) * _headDim), _headDim);
                double predicted = 0;
                for (int i = 0; i < _headDim; i++)
                {
                    double z = decay[first + i] + _decayBias[first + i];
                    state[i] *= Math.Exp(-Math.Exp(_decayLog[head]) * Math.Log(1 + Math.Exp(z)));
                    predicted += state[i] * k[i];
                }

                double correction = beta * (convolved[(2 * Width) + first + j] - predicted);
                for (int i = 0; i < _headDim; i++)
                {
                    state[i] += correction * k[i];
                    result[j] += state[i] * q[i];
                }
            }

            double[] normed = Exact.RmsNorm(result, _norm, Epsilon);
            for (int j = 0; j < _headDim; j++)
            {
                output[first + j] = normed[j] * Exact.Sigmoid(gate[first + j]);
            }
        }
    }

    private static double[] Normalized(Span<double> x, double scale)
    {
        double sum = 0;
        foreach (double value in x)
        {
            sum += value * value;
        }

        return [.. x.ToArray().Select(value => value * scale / Math.Sqrt(sum + ComputeBackend.L2NormEpsilon))];
    }
}
