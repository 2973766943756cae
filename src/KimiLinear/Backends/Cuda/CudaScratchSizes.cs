namespace KimiLinear.Backends;

/// <summary>The sizes of the regions of <see cref="CudaScratch"/> in bytes.</summary>
internal readonly record struct CudaScratchSizes
{
    public long RouterLogits { get; init; }

    /// <summary>Of the chosen experts, and of their weights.</summary>
    public long Chosen { get; init; }

    public long Activations { get; init; }

    /// <summary>Of the inputs of products on tensor cores.</summary>
    public long Parts { get; init; }

    /// <summary>Of the inputs of the experts' second product.</summary>
    public long ExpertParts { get; init; }

    public long ExpertCounts { get; init; }

    public long ExpertOrder { get; init; }

    public long ExpertTiles { get; init; }

    public long ExpertOutputs { get; init; }

    /// <summary>Of the inputs of the decays' gate, and of the output's.</summary>
    public long DecayParts { get; init; }

    /// <summary>Of what comes out of the one, and of the other.</summary>
    public long DecayLogits { get; init; }

    public long ChunkRows { get; init; }

    public long ChunkPairs { get; init; }

    public long ChunkValues { get; init; }

    public long ChunkDecays { get; init; }

    public long LatentParts { get; init; }

    public long SharedKeyParts { get; init; }

    public long KeyValues { get; init; }

    public long Queries { get; init; }

    public long Sums { get; init; }

    public long Scales { get; init; }

    /// <summary>What all regions take of an arena.</summary>
    public long AlignedTotal => CudaArena.Aligned(RouterLogits) + (2 * CudaArena.Aligned(Chosen)) + CudaArena.Aligned(Activations)
        + CudaArena.Aligned(Parts) + CudaArena.Aligned(ExpertParts) + CudaArena.Aligned(ExpertCounts)
        + CudaArena.Aligned(ExpertOrder) + CudaArena.Aligned(ExpertTiles) + CudaArena.Aligned(ExpertOutputs)
        + (2 * CudaArena.Aligned(DecayParts)) + (2 * CudaArena.Aligned(DecayLogits)) + CudaArena.Aligned(ChunkRows)
        + CudaArena.Aligned(ChunkPairs) + CudaArena.Aligned(ChunkValues) + CudaArena.Aligned(ChunkDecays)
        + CudaArena.Aligned(LatentParts) + CudaArena.Aligned(SharedKeyParts) + CudaArena.Aligned(KeyValues)
        + CudaArena.Aligned(Queries) + CudaArena.Aligned(Sums) + CudaArena.Aligned(Scales);

    /// <summary>The larger of both, region by region.</summary>
    public CudaScratchSizes Larger(in CudaScratchSizes other) => new()
    {
        RouterLogits = Math.Max(RouterLogits, other.RouterLogits),
        Chosen = Math.Max(Chosen, other.Chosen),
        Activations = Math.Max(Activations, other.Activations),
        Parts = Math.Max(Parts, other.Parts),
        ExpertParts = Math.Max(ExpertParts, other.ExpertParts),
        ExpertCounts = Math.Max(ExpertCounts, other.ExpertCounts),
        ExpertOrder = Math.Max(ExpertOrder, other.ExpertOrder),
        ExpertTiles = Math.Max(ExpertTiles, other.ExpertTiles),
        ExpertOutputs = Math.Max(ExpertOutputs, other.ExpertOutputs),
        DecayParts = Math.Max(DecayParts, other.DecayParts),
        DecayLogits = Math.Max(DecayLogits, other.DecayLogits),
        ChunkRows = Math.Max(ChunkRows, other.ChunkRows),
        ChunkPairs = Math.Max(ChunkPairs, other.ChunkPairs),
        ChunkValues = Math.Max(ChunkValues, other.ChunkValues),
        ChunkDecays = Math.Max(ChunkDecays, other.ChunkDecays),
        LatentParts = Math.Max(LatentParts, other.LatentParts),
        SharedKeyParts = Math.Max(SharedKeyParts, other.SharedKeyParts),
        KeyValues = Math.Max(KeyValues, other.KeyValues),
        Queries = Math.Max(Queries, other.Queries),
        Sums = Math.Max(Sums, other.Sums),
        Scales = Math.Max(Scales, other.Scales),
    };
}
