namespace KimiLinear.Backends;

/// <summary>The kernels of a decoding step, each behind a method that checks its sizes and chooses its launch.</summary>
/// <remarks>
/// Addresses are device addresses and are not checked, but for the alignment that wide loads need. Nothing here waits or
/// allocates, so that all of it can be recorded in a graph.
/// </remarks>
internal sealed partial class DecodeKernels : IDisposable
{
    /// <summary>The widest Kimi Delta head.</summary>
    public const int MaxDeltaHeadDim = 256;

    /// <summary>The longest cached latent row (R + P).</summary>
    public const int MaxLatentRowLength = 1152;

    private const int WarpSize = LaunchShape.WarpSize;
    private const int BlockThreads = 256;
    private const int BlockWarps = BlockThreads / WarpSize;

    // The state of a head is read from memory by one block alone, which takes more warps to keep busy.
    private const int DeltaWarps = 16;
    private const int StateRowsPerWarp = 4;

    // Columns of one load of a matrix, and the alignment it needs.
    private const int VectorColumns = 8;
    private const int VectorBytes = 16;

    private const int ProjectRowsPerWarp = 2;

    // What a block gets without asking for more.
    private const int GrantedSharedBytes = 48 * 1024;

    private static readonly int[] ProjectTiles = [8, 4, 2, 1];

    private readonly CudaDevice _device;
    private readonly List<CudaModule> _modules = [];
    private readonly CudaModule _embed;
    private readonly CudaKernel _rmsNorm;
    private readonly WeightKernels?[] _products = new WeightKernels?[Enum.GetValues<CudaFormat>().Length];
    private readonly SizedKernels _kimiDelta;
    private readonly CudaKernel _latentPrepare;
    private readonly CudaKernel _latentAppend;
    private readonly SizedKernels _latentAttend;
    private readonly CudaKernel _latentCombine;
    private readonly CudaKernel _selectExperts;

    /// <exception cref="CudaException">The driver does not take the kernels.</exception>
    public DecodeKernels(CudaDevice device)
    {
        _device = device;
        try
        {
            _embed = Load("embed");
            _rmsNorm = Load("rms_norm").Find("rms_norm");
            _kimiDelta = new SizedKernels(Load("kimi_delta"), "kimi_delta", [32, 64, 128, MaxDeltaHeadDim]);
            CudaModule prepare = Load("latent_prepare");
            _latentPrepare = prepare.Find("latent_prepare");
            _latentAppend = prepare.Find("latent_append");
            CudaModule latent = Load("latent_attention");
            _latentAttend = new SizedKernels(latent, "latent_attend", [128, 288, 576, MaxLatentRowLength]);
            _latentCombine = latent.Find("latent_combine");
            _selectExperts = Load("select_experts").Find("select_experts");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Loads the kernels for weights in a format, unless they are loaded: no graph can be recorded meanwhile.</summary>
    /// <exception cref="CudaException">The driver does not take them.</exception>
    public void Require(CudaFormat format) => _ = For(format);

    /// <summary>Looks the tokens' rows up.</summary>
    public void Embed(
        CudaStream stream, in EmbedArguments arguments, int tokenCount, CudaFormat format = CudaFormat.BFloat16) =>
        For(format).Embed.Launch(stream, new LaunchShape(tokenCount, 1, 1, BlockThreads, 0), arguments);

    /// <summary>RMS norm of every token's row.</summary>
    public void RmsNorm(CudaStream stream, in RmsNormArguments arguments, int tokenCount) =>
        _rmsNorm.Launch(
            stream, new LaunchShape(tokenCount, 1, 1, BlockThreads, BlockWarps * sizeof(float)), arguments);

    /// <summary>A projection, behind a norm or not, stored or added, of all rows or chosen ones.</summary>
    public void Project(CudaStream stream, in ProjectArguments arguments, CudaFormat format = CudaFormat.BFloat16)
    {
        RequireMatrix(arguments.Weight, arguments.Columns, "weight of a projection", format);
        int index = 0;
        while (ProjectTiles[index] > 1 && !IsGoodTile(ProjectTiles[index], arguments.Tokens, arguments.Columns))
        {
            index++;
        }

        int tile = ProjectTiles[index];
        int warps = ProjectWarps(arguments.Outputs);
        LaunchShape shape = new(
            CeilingDivide(arguments.Outputs, warps * ProjectRowsPerWarp),
            CeilingDivide(arguments.Tokens, tile),
            1,
            warps * WarpSize,
            ProjectSharedBytes(warps, tile, arguments.Columns));
        For(format).Project[index].Launch(stream, shape, arguments);
    }

    /// <summary>The Kimi Delta operator for all tokens of all sequences, each sequence's in order.</summary>
    public void KimiDelta(CudaStream stream, in KimiDeltaArguments arguments, int sequenceCount)
    {
        RequireMatrix(arguments.DecayUp, arguments.DecayRank, "matrix of the decay gate");
        RequireMatrix(arguments.GateUp, arguments.GateRank, "matrix of the output gate");
        CudaKernel kernel = _kimiDelta.For(arguments.HeadDim, "A Kimi Delta head");
        int warps = Math.Min(DeltaWarps, CeilingDivide(arguments.HeadDim, StateRowsPerWarp));
        int sharedValues = RoundUp(arguments.DecayRank) + RoundUp(arguments.GateRank) + (6 * arguments.HeadDim);
        LaunchShape shape = new(arguments.Heads, sequenceCount, 1, warps * WarpSize, sharedValues * sizeof(float));
        kernel.Launch(stream, shape, arguments);
    }

    public void Dispose()
    {
        foreach (CudaModule module in _modules)
        {
            module.Dispose();
        }

        _modules.Clear();
    }

    private static int CeilingDivide(int value, int divisor) => (value + divisor - 1) / divisor;

    // To whole loads of four values.
    private static int RoundUp(int count) => CeilingDivide(count, 4) * 4;

    private static int ProjectSharedBytes(int warps, int tile, int columns) =>
        checked((RoundUp(warps) + (tile * columns)) * sizeof(float));

    // Rows that are whole vectors are loaded as such, and must begin where a vector may.
    private static void RequireMatrix(nint address, int columns, string what, string which = "")
    {
        if (columns % VectorColumns == 0 && address % VectorBytes != 0)
        {
            throw new ArgumentException(
                $"The {which}{what} must begin at a multiple of {VectorBytes} bytes, but begins at {address:X}.");
        }
    }

    private static void RequireMatrix(in WeightMatrix matrix, int columns, string what, CudaFormat format)
    {
        if (columns % format.ColumnGranule() != 0)
        {
            throw new ArgumentException(
                $"The {what} has rows of {columns} values, but in this format they must be a multiple of "
                + $"{format.ColumnGranule()}.");
        }

        RequireMatrix(matrix.Values, columns, what);
        RequireMatrix(matrix.Scales, columns, what, "scales of the ");
    }

    // No larger than the tokens need, and leaving room for a second block beside this one.
    private bool IsGoodTile(int tile, int tokens, int columns) =>
        tile < 2 * tokens && (long)tile * columns * sizeof(float) < _device.MaxSharedBytes / 2;

    // Matrices of few rows in smaller blocks, so that every processor gets some.
    private int ProjectWarps(int outputs) =>
        outputs < 2 * _device.MultiprocessorCount * BlockWarps * ProjectRowsPerWarp ? BlockWarps / 2 : BlockWarps;

    private WeightKernels For(CudaFormat format)
    {
        if (_products[(int)format] is { } loaded)
        {
            return loaded;
        }

        string suffix = format.Suffix();
        CudaModule project = Load($"project{suffix}");
        CudaModule experts = Load($"experts{suffix}");
        return _products[(int)format] = new WeightKernels(
            _embed.Find($"embed{suffix}"),
            [.. ProjectTiles.Select(tile => project.Find($"project{suffix}_{tile}"))],
            experts.Find($"expert_gate_up{suffix}"),
            experts.Find($"expert_down{suffix}"));
    }

    private CudaModule Load(string name)
    {
        CudaModule module = new(_device, name);
        _modules.Add(module);
        return module;
    }

    /// <summary>The kernels for weights in one format.</summary>
    private sealed record WeightKernels(CudaKernel Embed, CudaKernel[] Project, CudaKernel ExpertGateUp, CudaKernel ExpertDown);
}
