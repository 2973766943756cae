namespace KimiLinear.Backends;

internal sealed partial class CudaBackend
{
    private CudaScratchSizes ScratchSizes(ForwardBatch batch, int tokens)
    {
        int pieceTokens = Math.Min(tokens, ExpertPieceTokens(tokens));
        int latentTokens = Math.Min(tokens, LatentPieceTokens);
        int heads = Config.LatentHeadCount;
        long parts = (long)heads * _kernels.MaxLatentPartCount(latentTokens, heads, Config.LatentCacheDim);
        CudaScratchSizes sizes = new()
        {
            RouterLogits = (long)pieceTokens * Config.ExpertCount * sizeof(float),
            Chosen = (long)pieceTokens * Config.ActiveExpertCount * sizeof(float),
            Queries = (long)latentTokens * heads * Config.LatentCacheDim * sizeof(float),
            Sums = parts * Config.LatentRank * sizeof(float),
            Scales = parts * 2 * sizeof(float),
        };
        sizes = UsesTiles(tokens) ? WithTiles(sizes, tokens, pieceTokens) : WithRows(sizes, pieceTokens);
        int longest = 0;
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            longest = Math.Max(longest, batch.TokenCountOf(sequence));
        }

        sizes = _takesTiles && longest >= FewestTogether ? WithChunks(sizes, longest) : sizes;
        return ExpandsLatents(longest) ? WithLatentRuns(sizes, longest) : sizes;
    }

    // For a sequence of so many new tokens, as for the latent runs below: one is read after the other.
    private CudaScratchSizes WithChunks(in CudaScratchSizes sizes, int tokenCount)
    {
        int pieceTokens = Math.Min(tokenCount, DeltaPieceTokens);
        int headDim = Config.DeltaHeadDim;
        long chunks = (long)PrefillKernels.ChunkCount(pieceTokens) * Config.DeltaHeadCount;
        return sizes with
        {
            DecayParts = PrefillKernels.PartBytes(pieceTokens, headDim, TileKernels.MaxParts),
            DecayLogits = (long)pieceTokens * Config.DeltaDim * sizeof(float),
            ChunkRows = chunks * PrefillKernels.ChunkRowBytes(headDim),
            ChunkPairs = chunks * PrefillKernels.ChunkPairBytes(),
            ChunkValues = chunks * PrefillKernels.ChunkValueBytes(headDim),
            ChunkDecays = chunks * headDim * sizeof(float),
        };
    }

    private CudaScratchSizes WithLatentRuns(in CudaScratchSizes sizes, int tokenCount)
    {
        int keyValues = Config.LatentHeadCount * (Config.QkNopeHeadDim + Config.LatentValueDim);
        return sizes with
        {
            Parts = Math.Max(sizes.Parts, PrefillKernels.PartBytes(LatentRunKeys, keyValues, TileKernels.MaxParts)),
            LatentParts = PrefillKernels.PartBytes(LatentRunKeys, Config.LatentRank, TileKernels.MaxParts),
            SharedKeyParts = PrefillKernels.PartBytes(LatentRunKeys, Config.QkRopeHeadDim, TileKernels.MaxParts),
            KeyValues = (long)LatentRunKeys * keyValues * sizeof(float),
            Scales = Math.Max(sizes.Scales, (long)tokenCount * Config.LatentHeadCount * 2 * sizeof(float)),
        };
    }

    private CudaScratchSizes WithRows(in CudaScratchSizes sizes, int pieceTokens)
    {
        long sparse = ((long)Config.ActiveExpertCount * Config.ExpertDim) + Config.SharedExpertDim;
        return sizes with { Activations = pieceTokens * Math.Max(sparse, Config.DenseDim) * sizeof(float) };
    }

    private CudaScratchSizes WithTiles(in CudaScratchSizes sizes, int tokens, int pieceTokens)
    {
        ExpertGrouping grouping = new(pieceTokens, Config.ActiveExpertCount, Config.ExpertCount);
        int widestInput = Math.Max(Config.HiddenDim, Math.Max(Config.DeltaDim, Config.LatentHeadCount * Config.LatentValueDim));
        int widestExpert = Math.Max(Config.DenseDim, Config.SharedExpertDim);
        return sizes with
        {
            Parts = PrefillKernels.PartBytes(tokens, widestInput, TileKernels.MaxParts),
            ExpertParts = Math.Max(
                PrefillKernels.PartBytes(grouping.RowCount, Config.ExpertDim, TileKernels.MaxParts),
                PrefillKernels.PartBytes(pieceTokens, widestExpert, TileKernels.MaxParts)),
            ExpertCounts = grouping.CountBytes,
            ExpertOrder = grouping.OrderBytes,
            ExpertTiles = grouping.TileBytes,
            ExpertOutputs = (long)grouping.RowCount * Config.HiddenDim * sizeof(float),
        };
    }
}
