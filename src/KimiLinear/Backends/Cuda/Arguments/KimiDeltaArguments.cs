namespace KimiLinear.Backends;

/// <summary>What the kernels kimi_delta_32 to kimi_delta_256 take; kimi_delta.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct KimiDeltaArguments
{
    public required nint Projected; // float32 [T, 3·H·K + G_f + G_g + H]: q, k, v, f, g, b
    public required nint QueryTaps; // float32 [W, H·K]
    public required nint KeyTaps; // float32 [W, H·K]
    public required nint ValueTaps; // float32 [W, H·K]
    public required nint DecayUp; // bfloat16 [H·K, G_f]
    public required nint DecayLog; // float32 [H]
    public required nint DecayBias; // float32 [H·K]
    public required nint GateUp; // bfloat16 [H·K, G_g]
    public required nint Norm; // float32 [K]
    public required nint Slots; // addresses [B], where each sequence's slot of float32 begins
    public required nint Offsets; // int32 [B + 1], first token of each sequence
    public required nint Output; // float32 [T, H·K]
    public required long StateOffset; // values from the beginning of a slot to [H, K, K] of this layer, value channel first
    public required long TailOffset; // and to [W − 1, 3·H·K]
    public required int Heads; // H
    public required int HeadDim; // K
    public required int Taps; // W
    public required int DecayRank; // G_f
    public required int GateRank; // G_g
    public required float Epsilon;
}
