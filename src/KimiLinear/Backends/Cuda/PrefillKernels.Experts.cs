namespace KimiLinear.Backends;

internal sealed partial class PrefillKernels
{
    // A tile of gate and up holds both of a value.
    private const int TileValues = TileKernels.Outputs / 2;

    /// <summary>Groups the rows by expert, and lists the tiles of every expert's rows.</summary>
    /// <remarks>Buffers are as large as the grouping says. The host learns nothing of the choice.</remarks>
    public void OrderExperts(CudaStream stream, OrderExpertsArguments arguments, in ExpertGrouping grouping)
    {
        RequireAligned(arguments.Tiles, "list of tiles");
        arguments.Rows = grouping.RowCount;
        arguments.ExpertCount = grouping.ExpertCount;
        arguments.TileRows = grouping.TileRows;
        arguments.TileCount = grouping.TileCount;
        int countBytes = ExpertGrouping.ChunkRows * sizeof(int);
        int orderBytes = (ExpertGrouping.ChunkRows + (2 * grouping.ExpertCount)) * sizeof(int);
        _countExperts.Launch(stream, new LaunchShape(grouping.ChunkCount, 1, 1, BlockThreads, countBytes), arguments);
        _orderExperts.Launch(stream, new LaunchShape(grouping.ChunkCount, 1, 1, BlockThreads, orderBytes), arguments);
    }

    /// <summary>Gate, up and SiLU of every row, into the parts that <see cref="GroupedDown"/> takes.</summary>
    /// <exception cref="NotSupportedException">The columns are not whole loads; <see cref="TakesColumns"/> tells.</exception>
    public void GroupedGateUp(
        CudaStream stream,
        GroupedGateUpArguments arguments,
        in ExpertGrouping grouping,
        int partCount,
        CudaFormat format = CudaFormat.BFloat16)
    {
        RequireAligned(arguments.Tiles, "list of tiles");
        arguments.Tokens = grouping.TokenCount;
        arguments.ActiveCount = grouping.ActiveCount;
        arguments.TileCount = grouping.TileCount;
        LaunchGateUp(stream, arguments, grouping.TileRows, partCount, format);
    }

    /// <summary>Gate, up and SiLU of one expert that takes every token: a shared expert or a dense layer.</summary>
    /// <remarks>Its down is <see cref="MatMul"/>, added to the residual stream.</remarks>
    /// <exception cref="NotSupportedException">The columns are not whole loads; <see cref="TakesColumns"/> tells.</exception>
    public void GateUp(
        CudaStream stream,
        GroupedGateUpArguments arguments,
        int tokenCount,
        int partCount,
        CudaFormat format = CudaFormat.BFloat16)
    {
        int rows = TileRows(tokenCount, CeilingDivide(arguments.ExpertDim, TileValues));
        arguments.Tiles = 0;
        arguments.Order = 0;
        arguments.Tokens = tokenCount;
        arguments.ActiveCount = 1;
        arguments.TileCount = CeilingDivide(tokenCount, rows);
        LaunchGateUp(stream, arguments, rows, partCount, format);
    }

    /// <summary>Down of every row, to where its token and its place among the token's experts say.</summary>
    /// <exception cref="NotSupportedException">The columns are not whole loads; <see cref="TakesColumns"/> tells.</exception>
    public void GroupedDown(
        CudaStream stream,
        GroupedDownArguments arguments,
        in ExpertGrouping grouping,
        int partCount,
        CudaFormat format = CudaFormat.BFloat16)
    {
        RequireColumns(arguments.Columns, "gate and up of the experts");
        RequireColumns(arguments.ExpertDim, "down of the experts", format);
        RequireAligned(arguments.Activations, "activations of the experts");
        RequireAligned(arguments.Down, "down of the experts");
        RequireAligned(arguments.Outputs, "outputs of the experts");
        RequireAligned(arguments.Tiles, "list of tiles");
        arguments.Rows = grouping.RowCount;
        arguments.TileCount = grouping.TileCount;
        int tiles = checked(grouping.TileCount * CeilingDivide(arguments.Columns, TileKernels.Outputs));
        For(format).GroupedDown.Launch(stream, grouping.TileRows, partCount, tiles, arguments);
    }

    /// <summary>Adds every token's experts, weighed, to the residual stream, in ascending order.</summary>
    public void CombineExperts(CudaStream stream, in CombineExpertsArguments arguments, int tokenCount)
    {
        RequireColumns(arguments.Columns, "gate and up of the experts");
        RequireAligned(arguments.Outputs, "outputs of the experts");
        RequireAligned(arguments.Hidden, "residual stream");
        _combineExperts.Launch(stream, new LaunchShape(tokenCount, 1, 1, BlockThreads, 0), arguments);
    }

    private void LaunchGateUp(
        CudaStream stream, in GroupedGateUpArguments arguments, int tileRows, int partCount, CudaFormat format)
    {
        RequireColumns(arguments.Columns, "gate and up of the experts", format);
        RequireColumns(arguments.ExpertDim, "down of the experts");
        RequireAligned(arguments.Input, "input of the experts");
        RequireAligned(arguments.GateUp, "gate and up of the experts");
        RequireAligned(arguments.Activations, "activations of the experts");
        int tiles = checked(arguments.TileCount * CeilingDivide(arguments.ExpertDim, TileValues));
        For(format).GroupedGateUp.Launch(stream, tileRows, partCount, tiles, arguments);
    }
}
