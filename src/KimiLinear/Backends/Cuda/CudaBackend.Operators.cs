using KimiLinear.Tensors;

namespace KimiLinear.Backends;

internal sealed unsafe partial class CudaBackend
{
    public override void Embed(Tensor embedding, ForwardBatch batch, Tensor hidden)
    {
        CudaMatrixPart table = Whole(embedding);
        _kernels.Embed(
            _stream,
            new EmbedArguments
            {
                Table = table.Matrix,
                Tokens = _step.TokenIds,
                Hidden = CudaTensor.AddressOf(hidden),
                Columns = Config.HiddenDim,
            },
            _step.TokenCount,
            table.Format);
    }

    public override void NormProject(Tensor hidden, Tensor norm, Tensor weight, int tokenCount, Tensor projected) =>
        Project(CudaTensor.AddressOf(hidden), norm, weight, _step.TokenCount, CudaTensor.AddressOf(projected));

    public override void ProjectAdd(Tensor input, Tensor weight, int tokenCount, Tensor hidden) => Project(
        CudaTensor.AddressOf(input), norm: null, weight, _step.TokenCount, CudaTensor.AddressOf(hidden), adds: true);

    public override void DenseMlpAdd(DenseMlpWeights weights, int tokenCount, Tensor hidden)
    {
        int piece = ExpertPieceTokens(_step.TokenCount);
        for (int first = 0; first < _step.TokenCount; first += piece)
        {
            int count = Math.Min(piece, _step.TokenCount - first);
            nint rows = Row(hidden, first);
            if (UsesTiles(_step.TokenCount))
            {
                AddDenseTiles(weights, count, rows);
            }
            else
            {
                AddExperts(weights.Norm, routed: null, weights.GateUp, weights.Down, count, rows);
            }
        }
    }

    public override void SparseMoeAdd(
        SparseMoeWeights weights, int tokenCount, int layerIndex, IRoutingObserver? observer, Tensor hidden)
    {
        int active = Config.ActiveExpertCount;
        int[] chosen = observer is null ? [] : new int[_step.TokenCount * active];
        float[] factors = observer is null ? [] : new float[_step.TokenCount * active];
        int piece = ExpertPieceTokens(_step.TokenCount);
        for (int first = 0; first < _step.TokenCount; first += piece)
        {
            int count = Math.Min(piece, _step.TokenCount - first);
            nint rows = Row(hidden, first);

            // Rounding what the router hears makes it choose other experts.
            Project(rows, weights.Norm, weights.Router, count, _scratch.RouterLogits.Address, partCount: TileKernels.MaxParts);
            _kernels.SelectExperts(
                _stream,
                new SelectExpertsArguments
                {
                    Logits = _scratch.RouterLogits.Address,
                    Bias = CudaTensor.AddressOf(weights.CorrectionBias),
                    Experts = _scratch.Experts.Address,
                    Weights = _scratch.ExpertWeights.Address,
                    ExpertCount = Config.ExpertCount,
                    ActiveCount = active,
                    GroupCount = Config.ExpertGroupCount,
                    KeptGroupCount = Config.ActiveExpertGroupCount,
                    Normalizes = Config.NormalizeRouterWeights ? 1 : 0,
                    Scaling = Config.RoutedScalingFactor,
                },
                count);
            if (observer is not null)
            {
                Receive(_scratch.Experts, chosen.AsSpan(first * active, count * active));
                Receive(_scratch.ExpertWeights, factors.AsSpan(first * active, count * active));
            }

            if (UsesTiles(_step.TokenCount))
            {
                AddExpertTiles(weights, count, rows);
            }
            else
            {
                AddExperts(weights.Norm, weights, weights.SharedGateUp, weights.SharedDown, count, rows);
            }
        }

        observer?.OnRouted(layerIndex, chosen, factors);
    }

    public override void Logits(Tensor hidden, Tensor norm, Tensor head, ForwardBatch batch, Tensor logits) => Project(
        CudaTensor.AddressOf(hidden), norm, head, _step.LogitsRowCount, CudaTensor.AddressOf(logits), rows: _step.LogitsRows);

    // The experts that were chosen last, where there are any, and those that every token visits: in the same kernels where their
    // weights are of one format, else one behind the other.
    private void AddExperts(
        Tensor norm, SparseMoeWeights? routed, Tensor? sharedGateUp, Tensor? sharedDown, int tokenCount, nint hidden)
    {
        nint activations = _scratch.Activations.Address;
        if (routed is null || sharedGateUp is null || sharedDown is null || AreAlike(routed, sharedGateUp, sharedDown))
        {
            GateUpExperts(norm, routed, sharedGateUp, sharedDown, tokenCount, hidden, activations);
            DownExperts(routed, sharedDown, tokenCount, hidden, activations);
            return;
        }

        // Both look at what is there before either adds to it.
        long routedLength = (long)tokenCount * Config.ActiveExpertCount * routed.ExpertDown.Shape[2];
        nint sharedActivations = activations + (nint)(routedLength * sizeof(float));
        GateUpExperts(norm, routed, sharedGateUp: null, sharedDown: null, tokenCount, hidden, activations);
        GateUpExperts(norm, routed: null, sharedGateUp, sharedDown, tokenCount, hidden, sharedActivations);
        DownExperts(routed, sharedDown: null, tokenCount, hidden, activations);
        DownExperts(routed: null, sharedDown, tokenCount, hidden, sharedActivations);
    }

    private static bool AreAlike(SparseMoeWeights routed, Tensor sharedGateUp, Tensor sharedDown) =>
        Whole(routed.ExpertGateUp).Format == Whole(sharedGateUp).Format
        && Whole(routed.ExpertDown).Format == Whole(sharedDown).Format;

    private void GateUpExperts(
        Tensor norm,
        SparseMoeWeights? routed,
        Tensor? sharedGateUp,
        Tensor? sharedDown,
        int tokenCount,
        nint hidden,
        nint activations) => _kernels.ExpertGateUp(
            _stream,
            new ExpertGateUpArguments
            {
                Input = hidden,
                Norm = CudaTensor.AddressOf(norm),
                GateUp = routed is null ? default : Whole(routed.ExpertGateUp).Matrix,
                SharedGateUp = sharedGateUp is null ? default : Whole(sharedGateUp).Matrix,
                Experts = _scratch.Experts.Address,
                Activations = activations,
                Columns = Config.HiddenDim,
                ExpertDim = routed is null ? 0 : (int)routed.ExpertDown.Shape[2],
                SharedDim = sharedDown is null ? 0 : (int)sharedDown.Shape[1],
                ActiveCount = routed is null ? 0 : Config.ActiveExpertCount,
                Epsilon = Config.RmsNormEpsilon,
            },
            tokenCount,
            Whole((routed?.ExpertGateUp ?? sharedGateUp)!).Format);

    private void DownExperts(SparseMoeWeights? routed, Tensor? sharedDown, int tokenCount, nint hidden, nint activations) =>
        _kernels.ExpertDown(
            _stream,
            new ExpertDownArguments
            {
                Activations = activations,
                Experts = _scratch.Experts.Address,
                Weights = _scratch.ExpertWeights.Address,
                Down = routed is null ? default : Whole(routed.ExpertDown).Matrix,
                SharedDown = sharedDown is null ? default : Whole(sharedDown).Matrix,
                Hidden = hidden,
                Columns = Config.HiddenDim,
                ExpertDim = routed is null ? 0 : (int)routed.ExpertDown.Shape[2],
                SharedDim = sharedDown is null ? 0 : (int)sharedDown.Shape[1],
                ActiveCount = routed is null ? 0 : Config.ActiveExpertCount,
            },
            tokenCount,
            Whole((routed?.ExpertDown ?? sharedDown)!).Format);

    private void Project(
        nint input, Tensor? norm, Tensor weight, int tokenCount, nint output, bool adds = false, nint rows = 0, int partCount = 0)
    {
        if (UsesTiles(tokenCount))
        {
            ProjectTiles(input, norm, weight, tokenCount, output, adds, rows, partCount == 0 ? PartCount() : partCount);
            return;
        }

        foreach (CudaMatrixPart part in ((CudaMatrix)weight).Parts)
        {
            _kernels.Project(
                _stream,
                new ProjectArguments
                {
                    Input = input,
                    Norm = norm is null ? 0 : CudaTensor.AddressOf(norm),
                    Weight = part.Matrix,
                    Rows = rows,
                    Output = output + (part.FirstRow * sizeof(float)),
                    Columns = (int)weight.Shape[1],
                    Outputs = part.RowCount,
                    OutputStride = (int)weight.Shape[0],
                    Tokens = tokenCount,
                    Adds = adds ? 1 : 0,
                    Epsilon = Config.RmsNormEpsilon,
                },
                part.Format);
        }
    }

    private static CudaMatrixPart Whole(Tensor matrix) => ((CudaMatrix)matrix).Whole;

    private static nint Row(Tensor buffer, long row) =>
        CudaTensor.AddressOf(buffer) + (nint)(row * buffer.Shape[1] * sizeof(float));
}
