namespace KimiLinear.Backends;

/// <summary>What the kernel latent_prepare takes; latent_prepare.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct LatentPrepareArguments
{
    public required LatentPages Cache;
    public required nint Projected; // float32 [T, H·(Nope + P) + R + P]
    public required nint Norm; // float32 [R]
    public required nint KeyValueUp; // bfloat16 [H·(Nope + V), R]
    public required nint Queries; // float32 [T, H, R + P]
    public required int Heads; // H
    public required int KeyDim; // Nope
    public required int SharedDim; // P
    public required int Rank; // R
    public required int ValueDim; // V
    public required float Epsilon;
}
