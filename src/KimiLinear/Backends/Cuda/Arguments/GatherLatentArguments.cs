namespace KimiLinear.Backends;

/// <summary>What the kernel gather_latent takes; gather_latent.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct GatherLatentArguments
{
    public required LatentPages Cache;
    public required nint Latents; // bfloat16 [parts, S, R]
    public required nint SharedKeys; // bfloat16 [parts, S, P]
    public required int Sequence; // the tables by token are not read
    public required int FirstKey; // position of the first row
    public required int Keys; // S
    public required int Rank; // R, a multiple of 8
    public required int SharedDim; // P, a multiple of 8
    public required int PartCount; // 1 or 2
}
