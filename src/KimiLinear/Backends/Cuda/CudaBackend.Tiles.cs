using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <content>Products of many tokens, on tensor cores.</content>
internal sealed unsafe partial class CudaBackend
{
    private void ProjectTiles(
        nint input, Tensor? norm, Tensor weight, int tokenCount, nint output, bool adds, nint rows, int partCount)
    {
        int columns = (int)weight.Shape[1];
        Split(input, norm, columns, tokenCount, rows, partCount);
        Multiply(_scratch.Parts.Address, weight, tokenCount, output, adds, partCount);
    }

    private void AddDenseTiles(DenseMlpWeights weights, int tokenCount, nint hidden)
    {
        int parts = PartCount();
        Split(hidden, weights.Norm, Config.HiddenDim, tokenCount, rows: 0, parts);
        AddOneExpert(weights.GateUp, weights.Down, tokenCount, hidden, parts);
    }

    // The experts that were chosen last, and the shared one.
    private void AddExpertTiles(SparseMoeWeights weights, int tokenCount, nint hidden)
    {
        int parts = PartCount();
        int expertDim = (int)weights.ExpertDown.Shape[2];
        ExpertGrouping grouping = new(tokenCount, Config.ActiveExpertCount, Config.ExpertCount);
        _prefill.OrderExperts(
            _stream,
            new OrderExpertsArguments
            {
                Experts = _scratch.Experts.Address,
                Counts = _scratch.ExpertCounts.Address,
                Order = _scratch.ExpertOrder.Address,
                Tiles = _scratch.ExpertTiles.Address,
            },
            grouping);
        Split(hidden, weights.Norm, Config.HiddenDim, tokenCount, rows: 0, parts);
        _prefill.GroupedGateUp(
            _stream,
            new GroupedGateUpArguments
            {
                Input = _scratch.Parts.Address,
                GateUp = Whole(weights.ExpertGateUp).Matrix,
                Tiles = _scratch.ExpertTiles.Address,
                Order = _scratch.ExpertOrder.Address,
                Activations = _scratch.ExpertParts.Address,
                Columns = Config.HiddenDim,
                ExpertDim = expertDim,
            },
            grouping,
            parts,
            Whole(weights.ExpertGateUp).Format);
        _prefill.GroupedDown(
            _stream,
            new GroupedDownArguments
            {
                Activations = _scratch.ExpertParts.Address,
                Down = Whole(weights.ExpertDown).Matrix,
                Tiles = _scratch.ExpertTiles.Address,
                Order = _scratch.ExpertOrder.Address,
                Outputs = _scratch.ExpertOutputs.Address,
                Columns = Config.HiddenDim,
                ExpertDim = expertDim,
            },
            grouping,
            parts,
            Whole(weights.ExpertDown).Format);
        _prefill.CombineExperts(
            _stream,
            new CombineExpertsArguments
            {
                Outputs = _scratch.ExpertOutputs.Address,
                Weights = _scratch.ExpertWeights.Address,
                Hidden = hidden,
                Columns = Config.HiddenDim,
                ActiveCount = Config.ActiveExpertCount,
            },
            tokenCount);
        if (weights.SharedGateUp is not null)
        {
            AddOneExpert(weights.SharedGateUp, weights.SharedDown!, tokenCount, hidden, parts);
        }
    }

    // One that every token visits; the parts of its input are there.
    private void AddOneExpert(Tensor gateUp, Tensor down, int tokenCount, nint hidden, int partCount)
    {
        _prefill.GateUp(
            _stream,
            new GroupedGateUpArguments
            {
                Input = _scratch.Parts.Address,
                GateUp = Whole(gateUp).Matrix,
                Tiles = 0,
                Order = 0,
                Activations = _scratch.ExpertParts.Address,
                Columns = Config.HiddenDim,
                ExpertDim = (int)down.Shape[1],
            },
            tokenCount,
            partCount,
            Whole(gateUp).Format);
        Multiply(_scratch.ExpertParts.Address, down, tokenCount, hidden, adds: true, partCount);
    }

    private void Split(nint input, Tensor? norm, int columns, int tokenCount, nint rows, int partCount) => _prefill.SplitRows(
        _stream,
        new SplitRowsArguments
        {
            Input = input,
            Norm = norm is null ? 0 : CudaTensor.AddressOf(norm),
            Rows = rows,
            Parts = _scratch.Parts.Address,
            Columns = columns,
            Tokens = tokenCount,
            PartCount = partCount,
            Epsilon = Config.RmsNormEpsilon,
        });

    private void Multiply(nint parts, Tensor weight, int tokenCount, nint output, bool adds, int partCount)
    {
        foreach (CudaMatrixPart part in ((CudaMatrix)weight).Parts)
        {
            _prefill.MatMul(
                _stream,
                new MatMulArguments
                {
                    Input = parts,
                    Weight = part.Matrix,
                    Output = output + (part.FirstRow * sizeof(float)),
                    Columns = (int)weight.Shape[1],
                    Outputs = part.RowCount,
                    OutputStride = (int)weight.Shape[0],
                    Tokens = tokenCount,
                    Adds = adds ? 1 : 0,
                },
                partCount,
                part.Format);
        }
    }
}
