namespace KimiLinear.Backends;

internal sealed partial class PrefillKernels
{
    // The numbers of delta_chunks.h, delta_pairs.h, delta_scan.cu and convolution.h.
    private const int ChunkTokens = 64;
    private const int ChunkBlockTokens = 16;
    private const int ChunkParts = 2;
    private const int ChunkRowKinds = 3;
    private const int ScanValues = 32;
    private const int MaxChunkHeadDim = 128;
    private const int MaxChunkTaps = 4;

    /// <summary>Whether Kimi Delta heads and gates of these sizes can be taken in chunks; the gates' first step is no wider than a head.</summary>
    public static bool TakesDeltaHeads(int headDim, int taps, int decayRank, int gateRank) =>
        headDim % MatrixColumns == 0 && headDim <= MaxChunkHeadDim && taps <= MaxChunkTaps
        && TakesColumns(decayRank) && decayRank <= headDim && TakesColumns(gateRank) && gateRank <= headDim;

    /// <summary>Chunks of a sequence of so many new tokens.</summary>
    public static int ChunkCount(int tokenCount) => CeilingDivide(tokenCount, ChunkTokens);

    /// <summary>Bytes of <see cref="DeltaChunks.Rows"/> for a chunk of a head.</summary>
    public static long ChunkRowBytes(int headDim) => (long)ChunkRowKinds * ChunkParts * ChunkTokens * headDim * sizeof(ushort);

    /// <summary>Bytes of <see cref="DeltaChunks.Pairs"/> for a chunk of a head.</summary>
    public static long ChunkPairBytes() => (long)ChunkParts * ChunkTokens * ChunkTokens * sizeof(ushort);

    /// <summary>Bytes of <see cref="DeltaChunks.Values"/> for a chunk of a head.</summary>
    public static long ChunkValueBytes(int headDim) => (long)ChunkTokens * headDim * sizeof(float);

    /// <summary>Makes the parts of the inputs of the low-rank gates.</summary>
    public void SplitGates(CudaStream stream, in SplitGatesArguments arguments) => _splitGates.Launch(
        stream, new LaunchShape(CeilingDivide(arguments.Tokens, BlockWarps), 1, 1, BlockThreads, 0), arguments);

    /// <summary>Everything of a sequence's chunks that does not need the state.</summary>
    public void DeltaChunk(CudaStream stream, in DeltaChunkArguments arguments)
    {
        RequireDeltaHeads(arguments.HeadDim, arguments.Taps);
        int blocks = ChunkTokens / ChunkBlockTokens;
        int pairs = blocks * (blocks + 1) / 2 * ChunkBlockTokens * ChunkBlockTokens;
        int values = (3 * ChunkTokens * (arguments.HeadDim + 4)) + pairs + (blocks * arguments.HeadDim) + ChunkTokens;
        LaunchShape shape = new(ChunkCount(arguments.Tokens), arguments.Heads, 1, BlockThreads, values * sizeof(float));
        _deltaChunk.Launch(stream, shape, arguments);
    }

    /// <summary>Takes a sequence's state through its chunks and stores what is read from it.</summary>
    public void DeltaScan(CudaStream stream, in DeltaScanArguments arguments)
    {
        RequireDeltaHeads(arguments.HeadDim, arguments.Taps);
        RequireAligned(arguments.Chunks.Rows, "rows of delta_scan");
        RequireAligned(arguments.Chunks.Pairs, "pairs of delta_scan");
        int headBytes = PaddedBytes(arguments.HeadDim);
        int sharedBytes = ChunkParts * (
            (((ChunkRowKinds * ChunkTokens) + ScanValues) * headBytes)
            + (ChunkTokens * (PaddedBytes(ChunkTokens) + PaddedBytes(ScanValues))));
        LaunchShape shape = new(CeilingDivide(arguments.HeadDim, ScanValues), arguments.Heads, 1, BlockThreads, sharedBytes);
        _deltaScan.Launch(stream, shape, arguments);
    }

    /// <summary>The gated norm of every head of every token, in place.</summary>
    public void GateOutput(CudaStream stream, in GateOutputArguments arguments) => _gateOutput.Launch(
        stream, new LaunchShape(CeilingDivide(arguments.Rows, BlockWarps), 1, 1, BlockThreads, 0), arguments);

    private static void RequireDeltaHeads(int headDim, int taps)
    {
        if (!TakesDeltaHeads(headDim, taps, 0, 0))
        {
            throw new NotSupportedException(
                $"Chunks take Kimi Delta heads of up to {MaxChunkHeadDim} values, a multiple of {MatrixColumns}, and {MaxChunkTaps} "
                + $"taps, but there are {headDim} and {taps}. Take the kernel of decoding for them.");
        }
    }
}
