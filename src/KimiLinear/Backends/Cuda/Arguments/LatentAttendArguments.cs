namespace KimiLinear.Backends;

/// <summary>What the kernels latent_attend_128 to latent_attend_1152 take; latent_attention.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct LatentAttendArguments
{
    public required LatentPages Cache;
    public required nint Queries; // float32 [T, H, R + P]
    public required nint Sums; // float32 [T, H, splits, R]: Σ exp(score − max) · c; not written where a split has no tokens
    public required nint Scales; // float32 [T, H, splits, 2]: max, and Σ exp(score − max), 0 in a split without tokens
    public required int Heads; // H
    public required int Rank; // R
    public required int RowLength; // R + P
    public int TileTokens; // rows in shared memory at a time; divides 64, a multiple of 4
}
