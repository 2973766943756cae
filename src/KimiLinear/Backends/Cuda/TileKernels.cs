namespace KimiLinear.Backends;

/// <summary>Forms of one product on the tensor cores for tiles of different rows and for inputs of one part or two.</summary>
/// <remarks>The numbers are those of tile_copies.h.</remarks>
internal sealed class TileKernels(CudaModule module, string name, CudaFormat format)
{
    /// <summary>Rows of the weight that a tile takes.</summary>
    public const int Outputs = 128;

    /// <summary>Rows of the input that the smallest tile takes.</summary>
    public const int FewestRows = 16;

    /// <summary>The most parts that an input is the sum of.</summary>
    public const int MaxParts = 2;

    private const int Stages = 4;
    private const int StageColumns = 32;

    // A warp takes up to 64 rows, four of them the outputs.
    private const int WarpRows = 64;
    private const int OutputWarps = 4;

    private static readonly int[] RowCounts = [128, 64, FewestRows];

    private readonly CudaKernel[][] _kernels =
    [
        .. RowCounts.Select(rows => (CudaKernel[])
            [.. Enumerable.Range(1, MaxParts).Select(parts => module.Find($"{name}{format.Suffix()}_{rows}_{parts}"))]),
    ];

    /// <summary>Rows of input that a tile may take, the most first.</summary>
    public static ReadOnlySpan<int> Rows => RowCounts;

    /// <summary>Queues a product in as many blocks as there are tiles.</summary>
    public void Launch<TArguments>(CudaStream stream, int rows, int partCount, int tileCount, in TArguments arguments)
        where TArguments : unmanaged
    {
        if (partCount is < 1 or > MaxParts)
        {
            throw new ArgumentOutOfRangeException(
                nameof(partCount), partCount, $"The input of {name} has {partCount} parts, but it takes 1 or {MaxParts}.");
        }

        int warps = Math.Max(1, rows / WarpRows) * OutputWarps;
        int inputBytes = partCount * rows * StageColumns * sizeof(ushort);
        int weightBytes = Outputs * ((StageColumns * format.BitsPerValue() / 8) + format.ScaleBytes());
        int sharedBytes = Stages * (inputBytes + weightBytes);
        LaunchShape shape = new(tileCount, 1, 1, warps * LaunchShape.WarpSize, sharedBytes);
        _kernels[Array.IndexOf(RowCounts, rows)][partCount - 1].Launch(stream, shape, arguments);
    }
}
