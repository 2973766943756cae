namespace KimiLinear.Backends;

/// <summary>Device memory between the kernels of one operator; it only grows.</summary>
internal sealed class CudaScratch(CudaDevice device) : IDisposable
{
    private CudaArena? _arena;
    private CudaScratchSizes _sizes;

    public CudaRegion RouterLogits { get; private set; } // float32 [T, E]

    public CudaRegion Experts { get; private set; } // int32 [T, A]

    public CudaRegion ExpertWeights { get; private set; } // float32 [T, A]

    public CudaRegion Activations { get; private set; } // float32 [T, A·F + F_s], or [T, F] of a dense layer

    public CudaRegion Parts { get; private set; } // bfloat16 [parts, T, C]

    public CudaRegion ExpertParts { get; private set; } // bfloat16 [parts, T·A, F], or [parts, T, F] of a dense layer

    public CudaRegion ExpertCounts { get; private set; } // int32 [chunks, E]

    public CudaRegion ExpertOrder { get; private set; } // int32 [T·A]

    public CudaRegion ExpertTiles { get; private set; } // int32 [tiles, 4]

    public CudaRegion ExpertOutputs { get; private set; } // float32 [T, A, D]

    public CudaRegion DecayParts { get; private set; } // bfloat16 [parts, T, G_f]

    public CudaRegion GateParts { get; private set; } // bfloat16 [parts, T, G_g]

    public CudaRegion DecayLogits { get; private set; } // float32 [T, H·K]

    public CudaRegion GateLogits { get; private set; } // float32 [T, H·K]

    public CudaRegion ChunkRows { get; private set; } // bfloat16 [chunks, H, 3, parts, 64, K]

    public CudaRegion ChunkPairs { get; private set; } // bfloat16 [chunks, H, parts, 64, 64]

    public CudaRegion ChunkValues { get; private set; } // float32 [chunks, H, 64, K]

    public CudaRegion ChunkDecays { get; private set; } // float32 [chunks, H, K]

    public CudaRegion LatentParts { get; private set; } // bfloat16 [parts, S, R], of a run of a context

    public CudaRegion SharedKeyParts { get; private set; } // bfloat16 [parts, S, P]

    public CudaRegion KeyValues { get; private set; } // float32 [S, H·(Nope + V)]

    public CudaRegion Queries { get; private set; } // float32 [T, H, R + P]

    public CudaRegion Sums { get; private set; } // float32 [T, H, splits, R]

    public CudaRegion Scales { get; private set; } // float32 [T, H, splits, 2], or [T, H, 2] of a whole sequence

    /// <summary>Makes room. Returns whether the regions have moved.</summary>
    public bool Reserve(in CudaScratchSizes wanted)
    {
        CudaScratchSizes sizes = _sizes.Larger(wanted);
        if (_arena is not null && sizes == _sizes)
        {
            return false;
        }

        // The old one first: both together may not fit. If the new one does not fit either, the next step tries again.
        _arena?.Dispose();
        _arena = null;
        _sizes = default;
        _arena = new CudaArena(device, "the values between kernels", Math.Max(1, sizes.AlignedTotal));
        RouterLogits = _arena.Reserve("router logits", sizes.RouterLogits);
        Experts = _arena.Reserve("chosen experts", sizes.Chosen);
        ExpertWeights = _arena.Reserve("weights of the experts", sizes.Chosen);
        Activations = _arena.Reserve("activations", sizes.Activations);
        Parts = _arena.Reserve("parts of inputs", sizes.Parts);
        ExpertParts = _arena.Reserve("parts of activations", sizes.ExpertParts);
        ExpertCounts = _arena.Reserve("counts of experts", sizes.ExpertCounts);
        ExpertOrder = _arena.Reserve("order of experts", sizes.ExpertOrder);
        ExpertTiles = _arena.Reserve("tiles of experts", sizes.ExpertTiles);
        ExpertOutputs = _arena.Reserve("outputs of experts", sizes.ExpertOutputs);
        DecayParts = _arena.Reserve("parts of decays", sizes.DecayParts);
        GateParts = _arena.Reserve("parts of gates", sizes.DecayParts);
        DecayLogits = _arena.Reserve("decays", sizes.DecayLogits);
        GateLogits = _arena.Reserve("gates", sizes.DecayLogits);
        ChunkRows = _arena.Reserve("rows of chunks", sizes.ChunkRows);
        ChunkPairs = _arena.Reserve("pairs of chunks", sizes.ChunkPairs);
        ChunkValues = _arena.Reserve("values of chunks", sizes.ChunkValues);
        ChunkDecays = _arena.Reserve("decays of chunks", sizes.ChunkDecays);
        LatentParts = _arena.Reserve("parts of latent rows", sizes.LatentParts);
        SharedKeyParts = _arena.Reserve("parts of shared keys", sizes.SharedKeyParts);
        KeyValues = _arena.Reserve("keys and values", sizes.KeyValues);
        Queries = _arena.Reserve("latent queries", sizes.Queries);
        Sums = _arena.Reserve("latent sums", sizes.Sums);
        Scales = _arena.Reserve("latent scales", sizes.Scales);
        _sizes = sizes;
        return true;
    }

    public void Dispose()
    {
        _arena?.Dispose();
        _arena = null;
        _sizes = default;
    }
}
