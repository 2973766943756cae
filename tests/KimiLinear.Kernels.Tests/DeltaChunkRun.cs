using KimiLinear.Backends;

namespace KimiLinear.Kernels.Tests;

/// <summary>A Kimi Delta layer on the device in chunks, one sequence after the other, each in pieces.</summary>
internal sealed class DeltaChunkRun
{
    private readonly TestDevice _device;
    private readonly DeltaLayer _layer;
    private readonly KimiDeltaArguments _arguments;
    private readonly DeltaChunks _chunks;
    private readonly nint _decayParts;
    private readonly nint _gateParts;
    private readonly nint _decayLogits;
    private readonly nint _gateLogits;

    public DeltaChunkRun(TestDevice device, DeltaLayer layer)
    {
        (_device, _layer) = (device, layer);
        Slots = device.Upload(layer.Slots);
        Output = device.Reserve<float>(layer.TokenCount * layer.Width);
        _arguments = layer.Upload(device, Slots, Output);
        int tokens = layer.TokenCount;
        int chunks = PrefillKernels.ChunkCount(tokens) * _arguments.Heads;
        int headDim = _arguments.HeadDim;
        _decayParts = device.Reserve<ushort>(2 * tokens * _arguments.DecayRank).Address;
        _gateParts = device.Reserve<ushort>(2 * tokens * _arguments.GateRank).Address;
        _decayLogits = device.Reserve<float>(tokens * layer.Width).Address;
        _gateLogits = device.Reserve<float>(tokens * layer.Width).Address;
        _chunks = new DeltaChunks
        {
            Rows = device.Reserve<byte>(chunks * (int)PrefillKernels.ChunkRowBytes(headDim)).Address,
            Pairs = device.Reserve<byte>(chunks * (int)PrefillKernels.ChunkPairBytes()).Address,
            Values = device.Reserve<byte>(chunks * (int)PrefillKernels.ChunkValueBytes(headDim)).Address,
            Decays = device.Reserve<float>(chunks * headDim).Address,
        };
    }

    public DeviceBuffer Slots { get; }

    public DeviceBuffer Output { get; }

    /// <summary>All tokens of a sequence, so many at a time.</summary>
    public void Launch(int sequence, int tokenCount, int pieceTokens)
    {
        int end = _layer.FirstToken(sequence) + tokenCount;
        for (int first = _layer.FirstToken(sequence); first < end; first += pieceTokens)
        {
            LaunchPiece(sequence, first, Math.Min(pieceTokens, end - first));
        }
    }

    private void LaunchPiece(int sequence, int first, int tokens)
    {
        nint projected = _arguments.Projected + (first * _layer.RowLength * sizeof(float));
        nint output = Output.Address + (first * _layer.Width * sizeof(float));
        nint slot = Slots.Address + _layer.SlotOffset(sequence);
        nint tail = slot + (nint)(_arguments.TailOffset * sizeof(float));
        ProjectGates(projected, tokens);
        _device.Prefill.DeltaChunk(
            _device.Stream,
            new DeltaChunkArguments
            {
                Chunks = _chunks,
                Projected = projected,
                DecayLogits = _decayLogits,
                QueryTaps = _arguments.QueryTaps,
                KeyTaps = _arguments.KeyTaps,
                ValueTaps = _arguments.ValueTaps,
                DecayLog = _arguments.DecayLog,
                DecayBias = _arguments.DecayBias,
                Tail = tail,
                Heads = _arguments.Heads,
                HeadDim = _arguments.HeadDim,
                Taps = _arguments.Taps,
                RowLength = _layer.RowLength,
                Tokens = tokens,
            });
        _device.Prefill.DeltaScan(
            _device.Stream,
            new DeltaScanArguments
            {
                Chunks = _chunks,
                Projected = projected,
                State = slot + (nint)(_arguments.StateOffset * sizeof(float)),
                Tail = tail,
                Output = output,
                Heads = _arguments.Heads,
                HeadDim = _arguments.HeadDim,
                Taps = _arguments.Taps,
                RowLength = _layer.RowLength,
                Tokens = tokens,
            });
        _device.Prefill.GateOutput(
            _device.Stream,
            new GateOutputArguments
            {
                GateLogits = _gateLogits,
                Norm = _arguments.Norm,
                Output = output,
                HeadDim = _arguments.HeadDim,
                Rows = tokens * _arguments.Heads,
                Epsilon = _arguments.Epsilon,
            });
    }

    private void ProjectGates(nint projected, int tokens)
    {
        _device.Prefill.SplitGates(
            _device.Stream,
            new SplitGatesArguments
            {
                Projected = projected,
                DecayParts = _decayParts,
                GateParts = _gateParts,
                RowLength = _layer.RowLength,
                FirstColumn = 3 * _layer.Width,
                DecayRank = _arguments.DecayRank,
                GateRank = _arguments.GateRank,
                Tokens = tokens,
                PartCount = 2,
            });
        Project(_decayParts, _arguments.DecayUp, _arguments.DecayRank, _decayLogits);
        Project(_gateParts, _arguments.GateUp, _arguments.GateRank, _gateLogits);

        void Project(nint parts, nint weight, int rank, nint logits) => _device.Prefill.MatMul(
            _device.Stream,
            new MatMulArguments
            {
                Input = parts,
                Weight = new WeightMatrix { Values = weight },
                Output = logits,
                Columns = rank,
                Outputs = _layer.Width,
                OutputStride = _layer.Width,
                Tokens = tokens,
                Adds = 0,
            },
            2);
    }
}
