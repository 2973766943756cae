namespace KimiLinear.Backends;

/// <summary>What the kernels expanded_attend_1 and expanded_attend_2 take; expanded_attention.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct ExpandedAttendArguments
{
    public required nint Projected; // float32 [T, H·(Nope + P) + R + P]
    public required nint KeyValues; // bfloat16 [parts, S, H·(Nope + V)]
    public required nint SharedKeys; // bfloat16 [parts, S, P]
    public required nint Output; // float32 [T, H·V]; between runs what they have summed
    public required nint Scales; // float32 [T, H, 2], between runs
    public required int Heads; // H
    public required int KeyDim; // Nope, a multiple of 8
    public required int SharedDim; // P, a multiple of 8
    public required int ValueDim; // V, a multiple of 8
    public required int ProjectedLength; // H·(Nope + P) + R + P
    public required int Tokens; // T
    public required int Position; // of the first token in its sequence
    public required int FirstKey; // position of the first key of the run
    public required int Keys; // S: a multiple of 64, or up to the last token
}
