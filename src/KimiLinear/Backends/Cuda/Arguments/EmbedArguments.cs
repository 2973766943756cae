namespace KimiLinear.Backends;

/// <summary>What the kernel embed takes; embed.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct EmbedArguments
{
    public required WeightMatrix Table; // [N, D]
    public required nint Tokens; // int32 [T], below N
    public required nint Hidden; // float32 [T, D]
    public required int Columns; // D
}
