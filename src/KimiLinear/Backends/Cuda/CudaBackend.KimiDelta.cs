using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CudaBackend
{
    public override void KimiDelta(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, CacheStorage cache, int deltaLayer, Tensor output)
    {
        CacheLayout layout = cache.Layout;
        long stateOffset = deltaLayer * (layout.StateLength + layout.TailLength);
        KimiDeltaArguments arguments = new()
        {
            Projected = CudaTensor.AddressOf(projected),
            QueryTaps = CudaTensor.AddressOf(weights.QueryConvolution),
            KeyTaps = CudaTensor.AddressOf(weights.KeyConvolution),
            ValueTaps = CudaTensor.AddressOf(weights.ValueConvolution),
            DecayUp = CudaTensor.AddressOf(weights.DecayGateUp),
            DecayLog = CudaTensor.AddressOf(weights.DecayLog),
            DecayBias = CudaTensor.AddressOf(weights.DecayBias),
            GateUp = CudaTensor.AddressOf(weights.OutputGateUp),
            Norm = CudaTensor.AddressOf(weights.OutputNorm),
            Slots = _step.Slots,
            Offsets = _step.Offsets,
            Output = CudaTensor.AddressOf(output),
            StateOffset = stateOffset,
            TailOffset = stateOffset + layout.StateLength,
            Heads = Config.DeltaHeadCount,
            HeadDim = Config.DeltaHeadDim,
            Taps = Config.ConvolutionWidth,
            DecayRank = weights.DecayGateRank,
            GateRank = weights.OutputGateRank,
            Epsilon = Config.RmsNormEpsilon,
        };

        // Sequences of many new tokens one by one, those between them together.
        int first = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            if (TakesChunks(weights, batch.TokenCountOf(sequence)))
            {
                StepThrough(arguments, first, sequence);
                nint slot = ((CudaCache)cache).Slot(batch.Slot(sequence)).Address;
                TakeChunks(weights, projected, batch, sequence, slot + (nint)(stateOffset * sizeof(float)), output);
                first = sequence + 1;
            }
        }

        StepThrough(arguments, first, _step.SequenceCount);
    }

    // Sequences from the first to before the end, token by token.
    private void StepThrough(KimiDeltaArguments arguments, int first, int end)
    {
        if (first < end)
        {
            arguments.Slots += first * sizeof(nint);
            arguments.Offsets += first * sizeof(int);
            _kernels.KimiDelta(_stream, arguments, end - first);
        }
    }

    // A sequence's new tokens in pieces of whole chunks, each of which finds the state that the one before it left.
    private void TakeChunks(
        KimiDeltaWeights weights, Tensor projected, ForwardBatch batch, int sequence, nint state, Tensor output)
    {
        int end = batch.Offset(sequence + 1);
        for (int first = batch.Offset(sequence); first < end; first += DeltaPieceTokens)
        {
            int count = Math.Min(DeltaPieceTokens, end - first);
            TakePiece(weights, Row(projected, first), count, state, Row(output, first));
        }
    }

    private void TakePiece(KimiDeltaWeights weights, nint projected, int tokenCount, nint state, nint output)
    {
        DeltaChunks chunks = new()
        {
            Rows = _scratch.ChunkRows.Address,
            Pairs = _scratch.ChunkPairs.Address,
            Values = _scratch.ChunkValues.Address,
            Decays = _scratch.ChunkDecays.Address,
        };
        nint tail = state + (nint)((long)Config.DeltaDim * Config.DeltaHeadDim * sizeof(float));
        ProjectGates(weights, projected, tokenCount);
        _prefill.DeltaChunk(
            _stream,
            new DeltaChunkArguments
            {
                Chunks = chunks,
                Projected = projected,
                DecayLogits = _scratch.DecayLogits.Address,
                QueryTaps = CudaTensor.AddressOf(weights.QueryConvolution),
                KeyTaps = CudaTensor.AddressOf(weights.KeyConvolution),
                ValueTaps = CudaTensor.AddressOf(weights.ValueConvolution),
                DecayLog = CudaTensor.AddressOf(weights.DecayLog),
                DecayBias = CudaTensor.AddressOf(weights.DecayBias),
                Tail = tail,
                Heads = Config.DeltaHeadCount,
                HeadDim = Config.DeltaHeadDim,
                Taps = Config.ConvolutionWidth,
                RowLength = weights.ProjectionDim,
                Tokens = tokenCount,
            });
        _prefill.DeltaScan(
            _stream,
            new DeltaScanArguments
            {
                Chunks = chunks,
                Projected = projected,
                State = state,
                Tail = tail,
                Output = output,
                Heads = Config.DeltaHeadCount,
                HeadDim = Config.DeltaHeadDim,
                Taps = Config.ConvolutionWidth,
                RowLength = weights.ProjectionDim,
                Tokens = tokenCount,
            });
        _prefill.GateOutput(
            _stream,
            new GateOutputArguments
            {
                GateLogits = _scratch.GateLogits.Address,
                Norm = CudaTensor.AddressOf(weights.OutputNorm),
                Output = output,
                HeadDim = Config.DeltaHeadDim,
                Rows = tokenCount * Config.DeltaHeadCount,
                Epsilon = Config.RmsNormEpsilon,
            });
    }

    // The second steps of the decay's and the output's gates. What a decay forgets multiplies up, so their inputs are not rounded.
    private void ProjectGates(KimiDeltaWeights weights, nint projected, int tokenCount)
    {
        _prefill.SplitGates(
            _stream,
            new SplitGatesArguments
            {
                Projected = projected,
                DecayParts = _scratch.DecayParts.Address,
                GateParts = _scratch.GateParts.Address,
                RowLength = weights.ProjectionDim,
                FirstColumn = 3 * Config.DeltaDim,
                DecayRank = weights.DecayGateRank,
                GateRank = weights.OutputGateRank,
                Tokens = tokenCount,
                PartCount = TileKernels.MaxParts,
            });
        Multiply(_scratch.DecayParts, weights.DecayGateUp, _scratch.DecayLogits);
        Multiply(_scratch.GateParts, weights.OutputGateUp, _scratch.GateLogits);

        void Multiply(CudaRegion parts, Tensor weight, CudaRegion logits) =>
            this.Multiply(parts.Address, weight, tokenCount, logits.Address, adds: false, TileKernels.MaxParts);
    }

    private bool TakesChunks(KimiDeltaWeights weights, int tokenCount) =>
        _takesTiles && tokenCount >= FewestTogether && PrefillKernels.TakesDeltaHeads(
            Config.DeltaHeadDim, Config.ConvolutionWidth, weights.DecayGateRank, weights.OutputGateRank);
}
