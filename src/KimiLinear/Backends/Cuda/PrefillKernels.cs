namespace KimiLinear.Backends;

/// <summary>The kernels of a step of many tokens, behind methods that check sizes and choose launches.</summary>
/// <remarks>
/// The inputs of products are bfloat16, in one part or in two whose sum they are: one is within 2^-8 of every value, two are within 2^-17
/// and cost twice the work. Addresses are device addresses and are not checked, but for the alignment that wide loads need.
/// Nothing here waits or allocates.
/// </remarks>
internal sealed partial class PrefillKernels : IDisposable
{
    // Columns of one load of a matrix, and the alignment it needs.
    private const int VectorColumns = 8;
    private const int VectorBytes = 16;

    private const int WarpSize = LaunchShape.WarpSize;
    private const int BlockThreads = 256;
    private const int BlockWarps = BlockThreads / WarpSize;

    private readonly CudaDevice _device;
    private readonly List<CudaModule> _modules = [];
    private readonly CudaKernel _splitRows;
    private readonly ProductKernels?[] _products = new ProductKernels?[Enum.GetValues<CudaFormat>().Length];
    private readonly CudaKernel _countExperts;
    private readonly CudaKernel _orderExperts;
    private readonly CudaKernel _combineExperts;
    private readonly CudaKernel _gatherLatent;
    private readonly CudaKernel[] _expandedAttend;
    private readonly CudaKernel _splitGates;
    private readonly CudaKernel _gateOutput;
    private readonly CudaKernel _deltaChunk;
    private readonly CudaKernel _deltaScan;

    /// <exception cref="CudaException">The driver does not take the kernels.</exception>
    public PrefillKernels(CudaDevice device)
    {
        _device = device;
        try
        {
            _splitRows = Load("split_rows").Find("split_rows");
            CudaModule order = Load("order_experts");
            _countExperts = order.Find("count_experts");
            _orderExperts = order.Find("order_experts");
            _combineExperts = Load("combine_experts").Find("combine_experts");
            _gatherLatent = Load("gather_latent").Find("gather_latent");
            CudaModule attention = Load("expanded_attention");
            _expandedAttend = [attention.Find("expanded_attend_1"), attention.Find("expanded_attend_2")];
            CudaModule gates = Load("delta_gates");
            _splitGates = gates.Find("split_gates");
            _gateOutput = gates.Find("gate_output");
            _deltaChunk = Load("delta_chunk").Find("delta_chunk");
            _deltaScan = Load("delta_scan").Find("delta_scan");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether rows of this length can be multiplied here; for others there are <see cref="DecodeKernels"/>.</summary>
    public static bool TakesColumns(int columns) => columns % VectorColumns == 0;

    /// <summary>Loads the products with weights in a format, unless they are there: no graph can be recorded meanwhile.</summary>
    /// <exception cref="CudaException">The driver does not take them.</exception>
    public void Require(CudaFormat format) => _ = For(format);

    /// <summary>Bytes of rows in parts.</summary>
    public static long PartBytes(int rowCount, int columns, int partCount) =>
        (long)partCount * rowCount * columns * sizeof(ushort);

    /// <summary>Makes the parts of float32 rows, behind a norm or not, of all rows or chosen ones.</summary>
    public void SplitRows(CudaStream stream, in SplitRowsArguments arguments)
    {
        RequireColumns(arguments.Columns, "input of split_rows");
        RequireAligned(arguments.Input, "input of split_rows");
        RequireAligned(arguments.Norm, "norm of split_rows");
        RequireAligned(arguments.Parts, "output of split_rows");
        if (arguments.PartCount is < 1 or > TileKernels.MaxParts)
        {
            throw new ArgumentException(
                $"split_rows makes 1 or {TileKernels.MaxParts} parts, but {arguments.PartCount} are asked for.",
                nameof(arguments));
        }

        LaunchShape shape = new(CeilingDivide(arguments.Tokens, BlockWarps), 1, 1, BlockThreads, 0);
        _splitRows.Launch(stream, shape, arguments);
    }

    /// <summary>The product of an input in parts with a weight, stored or added.</summary>
    /// <exception cref="NotSupportedException">The columns are not whole loads; <see cref="TakesColumns"/> tells.</exception>
    public void MatMul(
        CudaStream stream, in MatMulArguments arguments, int partCount, CudaFormat format = CudaFormat.BFloat16)
    {
        RequireColumns(arguments.Columns, "weight of matmul", format);
        RequireAligned(arguments.Input, "input of matmul");
        RequireAligned(arguments.Weight, "weight of matmul");
        int outputTiles = CeilingDivide(arguments.Outputs, TileKernels.Outputs);
        int rows = TileRows(arguments.Tokens, outputTiles);
        int tiles = checked(CeilingDivide(arguments.Tokens, rows) * outputTiles);
        For(format).MatMul.Launch(stream, rows, partCount, tiles, arguments);
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

    private static void RequireColumns(int columns, string what, CudaFormat format = CudaFormat.BFloat16)
    {
        int granule = Math.Max(VectorColumns, format.ColumnGranule());
        if (columns % granule != 0)
        {
            throw new NotSupportedException(
                $"The {what} has rows of {columns} values, but tensor cores are fed whole loads of {granule}. "
                + "Take the kernels of decoding for it.");
        }
    }

    private static void RequireAligned(in WeightMatrix matrix, string what)
    {
        RequireAligned(matrix.Values, what);
        RequireAligned(matrix.Scales, what, "scales of the ");
    }

    private static void RequireAligned(nint address, string what, string which = "")
    {
        if (address % VectorBytes != 0)
        {
            throw new ArgumentException(
                $"The {which}{what} must begin at a multiple of {VectorBytes} bytes, but begins at {address:X}.");
        }
    }

    // The largest tile that is not mostly empty and leaves no processor without work, or else the smallest.
    private int TileRows(int tokens, int outputTiles)
    {
        foreach (int rows in TileKernels.Rows)
        {
            if (rows < 2 * tokens && (long)CeilingDivide(tokens, rows) * outputTiles >= _device.MultiprocessorCount)
            {
                return rows;
            }
        }

        return TileKernels.FewestRows;
    }

    private ProductKernels For(CudaFormat format) => _products[(int)format] ??= new ProductKernels(
        new TileKernels(Load($"matmul{format.Suffix()}"), "matmul", format),
        Load($"grouped_experts{format.Suffix()}"),
        format);

    private CudaModule Load(string name)
    {
        CudaModule module = new(_device, name);
        _modules.Add(module);
        return module;
    }

    /// <summary>The products with weights in one format.</summary>
    private sealed class ProductKernels(TileKernels matMul, CudaModule experts, CudaFormat format)
    {
        public TileKernels MatMul { get; } = matMul;

        public TileKernels GroupedGateUp { get; } = new(experts, "grouped_gate_up", format);

        public TileKernels GroupedDown { get; } = new(experts, "grouped_down", format);
    }
}
