namespace KimiLinear.Backends;

/// <summary>Where the cached rows of one latent layer lie, as latent_pages.h has it.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct LatentPages
{
    public required nint Pages; // bytes; page p of the layer begins at p · pageStride + layerOffset bytes; rows [64, R + P]
    public required nint PageTable; // int32 [B, tableStride]
    public required nint Sequences; // int32 [T], the sequence of each token
    public required nint Positions; // int32 [T], the tokens of its sequence before it
    public required long PageStride;
    public required long LayerOffset;
    public required int TableStride;
    public required int IsBFloat16; // 1: rows of bfloat16, 0: of float32
}
