namespace KimiLinear.Backends;

internal sealed partial class PrefillKernels
{
    /// <summary>Keys of a context that a run ends at, unless it ends with the last token.</summary>
    public const int LatentKeyTile = 64;

    // What the registers of a warp have room for, and what the shared memory of every device has.
    private const int MaxExpandedValueDim = 128;
    private const int MaxExpandedKeyDim = 192;

    // A block of four warps: tokens by the parts of its operands.
    private const int ExpandedThreads = 128;
    private static readonly int[] ExpandedTokens = [128, 64];

    // Columns of a product, to whole numbers of which rows in shared memory are filled up, and what is between rows.
    private const int MatrixColumns = 16;
    private const int RowGapBytes = 16;

    /// <summary>Whether attention in its expanded form takes heads and latent rows of these sizes.</summary>
    public static bool TakesLatents(int keyDim, int sharedDim, int valueDim, int rank) =>
        TakesColumns(keyDim) && TakesColumns(sharedDim) && TakesColumns(valueDim) && TakesColumns(rank)
        && keyDim + sharedDim <= MaxExpandedKeyDim && valueDim <= MaxExpandedValueDim;

    /// <summary>Copies the cached rows of a run of a sequence's tokens out of their pages, in parts.</summary>
    public void GatherLatent(CudaStream stream, in GatherLatentArguments arguments)
    {
        RequireColumns(arguments.Rank, "latent part of gather_latent");
        RequireColumns(arguments.SharedDim, "shared key of gather_latent");
        RequireAligned(arguments.Latents, "latents of gather_latent");
        RequireAligned(arguments.SharedKeys, "shared keys of gather_latent");
        RequireAligned((nint)arguments.Cache.LayerOffset, "layer inside a latent page");
        LaunchShape shape = new(CeilingDivide(arguments.Keys, BlockWarps), 1, 1, BlockThreads, 0);
        _gatherLatent.Launch(stream, shape, arguments);
    }

    /// <summary>Attention of a sequence's new tokens over a run of its keys; runs follow each other from the first key on.</summary>
    public void ExpandedAttend(CudaStream stream, in ExpandedAttendArguments arguments, int partCount)
    {
        if (partCount is < 1 or > TileKernels.MaxParts)
        {
            throw new ArgumentOutOfRangeException(
                nameof(partCount),
                partCount,
                $"The operands of expanded attention have {partCount} parts, but it takes 1 or {TileKernels.MaxParts}.");
        }

        RequireColumns(arguments.ProjectedLength, "input of expanded attention");
        RequireAligned(arguments.Projected, "input of expanded attention");
        RequireAligned(arguments.KeyValues, "keys and values of expanded attention");
        RequireAligned(arguments.SharedKeys, "shared keys of expanded attention");
        RequireAligned(arguments.Output, "output of expanded attention");
        int endKey = arguments.FirstKey + arguments.Keys;
        if (arguments.Keys % LatentKeyTile != 0 && endKey < arguments.Position + arguments.Tokens)
        {
            throw new ArgumentException(
                $"A run of keys must be a multiple of {LatentKeyTile} or end with the last token, but one from {arguments.FirstKey} "
                + $"has {arguments.Keys} of {arguments.Position + arguments.Tokens}.",
                nameof(arguments));
        }

        int rows = ExpandedTokens[partCount - 1];
        int keyBytes = PaddedBytes(arguments.KeyDim + arguments.SharedDim);
        int sharedBytes = partCount * (((rows + LatentKeyTile) * keyBytes) + (LatentKeyTile * PaddedBytes(arguments.ValueDim)));
        LaunchShape shape = new(CeilingDivide(arguments.Tokens, rows), arguments.Heads, 1, ExpandedThreads, sharedBytes);
        _expandedAttend[partCount - 1].Launch(stream, shape, arguments);
    }

    // From one row of a matrix in shared memory to the next, as padded_rows.h has it.
    private static int PaddedBytes(int columns) =>
        (CeilingDivide(columns, MatrixColumns) * MatrixColumns * sizeof(ushort)) + RowGapBytes;
}
