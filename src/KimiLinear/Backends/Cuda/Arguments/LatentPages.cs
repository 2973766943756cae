namespace KimiLinear.Backends;

/// <summary>Where the cached rows of one latent layer lie, as latent_pages.h has it.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct LatentPages
{
    public required nint Pages; // addresses of all sequences' pages; rows [64, R + P] of this layer layerOffset bytes inside
    public required nint PageStarts; // int32 [B], the place of each sequence's first page among them
    public required nint Sequences; // int32 [T], the sequence of each token
    public required nint Positions; // int32 [T], the tokens of its sequence before it
    public required long LayerOffset;
    public required int IsBFloat16; // 1: rows of bfloat16, 0: of float32
}
