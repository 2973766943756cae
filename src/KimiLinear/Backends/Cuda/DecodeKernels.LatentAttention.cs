namespace KimiLinear.Backends;

internal sealed partial class DecodeKernels
{
    // Tiles of cached rows; each divides a page.
    private static readonly int[] LatentTiles = [16, 8, 4];

    // Rows up to this length leave the registers room for four heads per warp, longer ones for two.
    private const int FourHeadRowLength = 576;

    // Columns that a warp of latent_prepare sums at a time.
    private const int PrepareColumns = 256;

    // With all heads in one block there would be fewer blocks, or more parts to combine.
    private const int MaxLatentWarps = 4;

    // More blocks than fit at once even out sequences of different lengths; more still would cost more to combine.
    private const int BlocksPerMultiprocessor = 2;

    /// <summary>Into how many parts a sequence's cached tokens are split; the buffers between the kernels are sized by it.</summary>
    public int LatentSplitCount(int tokenCount, int headCount, int rowLength)
    {
        int blocks = tokenCount * CeilingDivide(headCount, LatentWarps(headCount, rowLength) * HeadsPerWarp(rowLength));
        return Math.Max(1, BlocksPerMultiprocessor * _device.MultiprocessorCount / blocks);
    }

    /// <summary>The most parts that a step of up to this many tokens has, over all its tokens.</summary>
    public int MaxLatentPartCount(int tokenCount, int headCount, int rowLength) =>
        Math.Max(tokenCount, LatentSplitCount(1, headCount, rowLength));

    /// <summary>Turns the queries and caches the new tokens' rows.</summary>
    public void LatentPrepare(CudaStream stream, in LatentPrepareArguments arguments, int tokenCount)
    {
        RequireMatrix(arguments.KeyValueUp, arguments.Rank, "up-projection of keys and values");
        const int SharedBytes = BlockWarps * PrepareColumns * sizeof(float);
        _latentPrepare.Launch(stream, new LaunchShape(arguments.Heads + 1, tokenCount, 1, BlockThreads, SharedBytes), arguments);
    }

    /// <summary>Caches the new tokens' rows and leaves the queries as they are.</summary>
    public void LatentAppend(CudaStream stream, in LatentPrepareArguments arguments, int tokenCount) =>
        _latentAppend.Launch(stream, new LaunchShape(tokenCount, 1, 1, BlockThreads, BlockWarps * sizeof(float)), arguments);

    /// <summary>Attention over the parts of every token's cached rows. The size of the tiles is chosen here.</summary>
    public void LatentAttend(CudaStream stream, LatentAttendArguments arguments, int tokenCount, int splitCount)
    {
        CudaKernel kernel = _latentAttend.For(arguments.RowLength, "A cached latent row");
        RequirePages(arguments.Cache);
        arguments.TileTokens = LatentTile(arguments.RowLength);
        int warps = LatentWarps(arguments.Heads, arguments.RowLength);
        LaunchShape shape = new(
            splitCount,
            CeilingDivide(arguments.Heads, warps * HeadsPerWarp(arguments.RowLength)),
            tokenCount,
            warps * WarpSize,
            arguments.TileTokens * arguments.RowLength * sizeof(float));
        kernel.Launch(stream, shape, arguments);
    }

    /// <summary>Merges the parts and projects up to the heads' values.</summary>
    public void LatentCombine(CudaStream stream, in LatentCombineArguments arguments, int tokenCount)
    {
        RequireMatrix(arguments.KeyValueUp, arguments.Rank, "up-projection of keys and values");
        int sharedBytes = (RoundUp(arguments.Rank) + arguments.Splits) * sizeof(float);
        _latentCombine.Launch(stream, new LaunchShape(arguments.Heads, tokenCount, 1, BlockThreads, sharedBytes), arguments);
    }

    // Pages begin at whole loads, since they come from an arena; so must the layers inside them.
    private static void RequirePages(in LatentPages pages)
    {
        if (pages.LayerOffset % VectorBytes != 0)
        {
            throw new ArgumentException(
                $"A layer must begin at a multiple of {VectorBytes} bytes inside a latent page, but begins at {pages.LayerOffset}.");
        }
    }

    private static int HeadsPerWarp(int rowLength) => rowLength <= FourHeadRowLength ? 4 : 2;

    private static int LatentWarps(int headCount, int rowLength) =>
        Math.Min(MaxLatentWarps, CeilingDivide(headCount, HeadsPerWarp(rowLength)));

    private static int LatentTile(int rowLength)
    {
        int index = 0;
        while (LatentTiles[index] * rowLength * sizeof(float) > GrantedSharedBytes)
        {
            index++;
        }

        return LatentTiles[index];
    }
}
