using KimiLinear.Backends;
using Xunit;

namespace KimiLinear.Kernels.Tests;

public sealed class KimiDeltaTests
{
    private const float Epsilon = 1e-5f;

    // What a slot holds besides this layer.
    private const int Before = 13;
    private const int Behind = 5;
    private const int SlotCount = 4;

    [Theory]
    [InlineData(1, 12, 4, 5, 7, 1)]
    [InlineData(2, 32, 4, 32, 32, 1, 1)]
    [InlineData(3, 64, 4, 64, 64, 1, 2, 1)]
    [InlineData(2, 128, 4, 128, 128, 1, 1)]
    [InlineData(1, 200, 2, 8, 16, 3)]
    [InlineData(1, 256, 1, 24, 9, 1, 1)]
    [InlineData(2, 33, 3, 1, 2, 2, 1, 4)]
    [InlineData(1, 1, 4, 1, 1, 2)]
    public void KimiDelta_AnySizes_MatchesFormula(
        int heads, int headDim, int taps, int decayRank, int gateRank, params int[] tokenCounts)
    {
        Layer layer = new(new Samples(), heads, headDim, taps, decayRank, gateRank, tokenCounts);
        using EmulatedDevice device = new();
        DeviceBuffer slots = device.Upload(layer.Slots);
        DeviceBuffer output = device.Reserve<float>(layer.TokenCount * layer.Width);
        KimiDeltaArguments arguments = layer.Upload(device, slots, output);

        device.Run(() => device.Kernels.KimiDelta(device.Stream, arguments, tokenCounts.Length));

        (double[] expectedOutput, double[] expectedSlots) = layer.Compute();
        Exact.AssertClose(expectedOutput, output.Read<float>(), 2e-5);
        Exact.AssertClose(expectedSlots, slots.Read<float>());
    }

    [Fact]
    public void KimiDelta_TokensTogetherOrOneByOne_SameBits()
    {
        Layer layer = new(new Samples(), 2, 48, 4, 16, 16, [4]);
        using EmulatedDevice device = new();
        DeviceBuffer together = device.Upload(layer.Slots);
        DeviceBuffer apart = device.Upload(layer.Slots);
        DeviceBuffer output = device.Reserve<float>(layer.TokenCount * layer.Width);
        DeviceBuffer outputApart = device.Reserve<float>(layer.TokenCount * layer.Width);
        DeviceBuffer offsets = device.Upload(0, 1, 2, 3, 4);
        KimiDeltaArguments arguments = layer.Upload(device, together, output);
        KimiDeltaArguments single = arguments with { Slots = apart.Address, Output = outputApart.Address };

        device.Run(() =>
        {
            device.Kernels.KimiDelta(device.Stream, arguments, 1);
            for (int t = 0; t < layer.TokenCount; t++)
            {
                device.Kernels.KimiDelta(
                    device.Stream, single with { Offsets = offsets.Address + (t * sizeof(int)) }, 1);
            }
        });

        Assert.Equal(output.Read<float>(), outputApart.Read<float>());
        Assert.Equal(together.Read<float>(), apart.Read<float>());
    }

    [Fact]
    public void KimiDelta_WiderHeadThanTheKernelsTake_IsRefused()
    {
        Layer layer = new(new Samples(), 1, 257, 4, 1, 1, [1]);
        using EmulatedDevice device = new();
        DeviceBuffer slots = device.Upload(layer.Slots);
        KimiDeltaArguments arguments = layer.Upload(device, slots, device.Reserve<float>(257));

        NotSupportedException exception = Assert.Throws<NotSupportedException>(
            () => device.Kernels.KimiDelta(device.Stream, arguments, 1));

        Assert.StartsWith("A Kimi Delta head has 257 values, but the CUDA kernels take at most 256", exception.Message);
    }

    // One layer's weights and inputs, and what comes out of them in float64.
    private sealed class Layer
    {
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

        public Layer(Samples samples, int heads, int headDim, int taps, int decayRank, int gateRank, int[] tokenCounts)
        {
            (_heads, _headDim, _taps, _decayRank, _gateRank) = (heads, headDim, taps, decayRank, gateRank);
            Width = heads * headDim;
            TokenCount = tokenCounts.Sum();
            _offsets = [0, .. tokenCounts.Select((_, i) => tokenCounts[..(i + 1)].Sum())];
            _slotIds = [.. Enumerable.Range(0, tokenCounts.Length).Select(i => ((3 * i) + 2) % SlotCount)];
            _projected = samples.Floats(TokenCount * RowLength, 2);
            _convolutions = [.. Enumerable.Range(0, 3).Select(_ => samples.Floats(taps * Width))];
            _decayUp = samples.Matrix(Width, decayRank);
            _decayLog = samples.Floats(heads, 2);
            _decayBias = samples.Floats(Width, 2);
            _gateUp = samples.Matrix(Width, gateRank);
            _norm = samples.Norm(headDim);
            Slots = samples.Floats(SlotCount * SlotStride);
        }

        public int Width { get; }

        public int TokenCount { get; }

        public float[] Slots { get; }

        private int RowLength => (3 * Width) + _decayRank + _gateRank + _heads;

        private int StateLength => _heads * _headDim * _headDim;

        private int TailOffset => Before + StateLength;

        private int SlotStride => TailOffset + ((_taps - 1) * 3 * Width) + Behind;

        public KimiDeltaArguments Upload(EmulatedDevice device, DeviceBuffer slots, DeviceBuffer output) => new()
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
            Slots = slots.Address,
            SlotIds = device.Upload(_slotIds).Address,
            Offsets = device.Upload(_offsets).Address,
            Output = output.Address,
            SlotStride = SlotStride,
            StateOffset = Before,
            TailOffset = TailOffset,
            Heads = _heads,
            HeadDim = _headDim,
            Taps = _taps,
            DecayRank = _decayRank,
            GateRank = _gateRank,
            Epsilon = Epsilon,
        };

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
}
