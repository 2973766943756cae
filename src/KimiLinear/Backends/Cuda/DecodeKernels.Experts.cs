namespace KimiLinear.Backends;

internal sealed partial class DecodeKernels
{
    /// <summary>Chooses every token's experts from the router's logits, as <see cref="ExpertSelection"/> does.</summary>
    public void SelectExperts(CudaStream stream, in SelectExpertsArguments arguments, int tokenCount)
    {
        if (arguments.ExpertCount % arguments.GroupCount != 0 || arguments.ActiveCount > arguments.ExpertCount
            || arguments.KeptGroupCount > arguments.GroupCount)
        {
            throw new ArgumentException(
                $"{arguments.ActiveCount} of {arguments.ExpertCount} experts cannot be chosen "
                + $"from {arguments.KeptGroupCount} of {arguments.GroupCount} groups.");
        }

        int values = (2 * arguments.ExpertCount) + (2 * arguments.GroupCount) + arguments.ActiveCount;
        _selectExperts.Launch(stream, new LaunchShape(tokenCount, 1, 1, WarpSize, values * sizeof(float)), arguments);
    }

    /// <summary>Gate, up and SiLU of every token's chosen experts and the shared one.</summary>
    /// <remarks>A dense layer is a shared expert with none chosen beside it.</remarks>
    public void ExpertGateUp(
        CudaStream stream, in ExpertGateUpArguments arguments, int tokenCount, CudaFormat format = CudaFormat.BFloat16)
    {
        RequireMatrix(arguments.GateUp, arguments.Columns, "gate and up of the experts", format);
        RequireMatrix(arguments.SharedGateUp, arguments.Columns, "gate and up of the shared expert", format);
        int tiles = (arguments.ActiveCount * CeilingDivide(arguments.ExpertDim, BlockWarps))
            + CeilingDivide(arguments.SharedDim, BlockWarps);
        int sharedBytes = (RoundUp(BlockWarps) + arguments.Columns) * sizeof(float);
        For(format).ExpertGateUp.Launch(stream, new LaunchShape(tiles, tokenCount, 1, BlockThreads, sharedBytes), arguments);
    }

    /// <summary>Down of every token's experts, weighed and added to the residual stream.</summary>
    public void ExpertDown(
        CudaStream stream, in ExpertDownArguments arguments, int tokenCount, CudaFormat format = CudaFormat.BFloat16)
    {
        RequireMatrix(arguments.Down, arguments.ExpertDim, "down of the experts", format);
        RequireMatrix(arguments.SharedDown, arguments.SharedDim, "down of the shared expert", format);
        int sharedBytes = (RoundUp(arguments.ActiveCount * arguments.ExpertDim) + arguments.SharedDim) * sizeof(float);
        LaunchShape shape = new(CeilingDivide(arguments.Columns, BlockWarps), tokenCount, 1, BlockThreads, sharedBytes);
        For(format).ExpertDown.Launch(stream, shape, arguments);
    }
}
