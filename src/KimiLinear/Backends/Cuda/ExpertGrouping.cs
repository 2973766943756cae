namespace KimiLinear.Backends;

/// <summary>How the tokens of a step are grouped by the experts they chose, and what memory that takes.</summary>
/// <remarks>A row is a token and one of its experts; rows of one expert follow each other, cut into tiles.</remarks>
internal readonly record struct ExpertGrouping(int TokenCount, int ActiveCount, int ExpertCount)
{
    /// <summary>Rows that a block of count_experts and order_experts takes; order_experts.cu has the same number.</summary>
    public const int ChunkRows = 1024;

    // Rows of an expert, on average, from which on a larger tile pays: less of it is empty then than it saves.
    private const int RowsFor128 = 256;
    private const int RowsFor64 = 32;

    private const int TileNumbers = 4;

    public int RowCount => checked(TokenCount * ActiveCount);

    public int ChunkCount => (RowCount + ChunkRows - 1) / ChunkRows;

    /// <summary>The most rows of a tile.</summary>
    public int TileRows => (RowCount / ExpertCount) switch
    {
        >= RowsFor128 => 128,
        >= RowsFor64 => 64,
        _ => TileKernels.FewestRows,
    };

    /// <summary>As many tiles as any choice can make: all that can be full, and one more for every expert with rows.</summary>
    public int TileCount => (RowCount / TileRows) + Math.Min(ExpertCount, RowCount);

    /// <summary>Bytes of the counts between the two kernels that group.</summary>
    public long CountBytes => (long)ChunkCount * ExpertCount * sizeof(int);

    /// <summary>Bytes of the rows in their order.</summary>
    public long OrderBytes => (long)RowCount * sizeof(int);

    /// <summary>Bytes of the list of tiles.</summary>
    public long TileBytes => (long)TileCount * TileNumbers * sizeof(int);
}
