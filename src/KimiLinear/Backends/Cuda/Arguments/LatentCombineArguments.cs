namespace KimiLinear.Backends;

/// <summary>What the kernel latent_combine takes; latent_attention.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct LatentCombineArguments
{
    public required nint Sums; // float32 [T, H, splits, R]
    public required nint Scales; // float32 [T, H, splits, 2]
    public required nint KeyValueUp; // bfloat16 [H·(Nope + V), R]
    public required nint Output; // float32 [T, H·V]
    public required int Heads; // H
    public required int KeyDim; // Nope
    public required int Rank; // R
    public required int ValueDim; // V
    public required int Splits;
}
