namespace KimiLinear.Backends;

/// <summary>What the kernel split_gates takes; delta_gates.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct SplitGatesArguments
{
    public required nint Projected; // float32 [T, 3·H·K + G_f + G_g + H]
    public required nint DecayParts; // bfloat16 [parts, T, G_f]
    public required nint GateParts; // bfloat16 [parts, T, G_g]
    public required int RowLength; // 3·H·K + G_f + G_g + H
    public required int FirstColumn; // 3·H·K
    public required int DecayRank; // G_f
    public required int GateRank; // G_g
    public required int Tokens; // T
    public required int PartCount;
}
