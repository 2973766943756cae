namespace KimiLinear.Backends;

/// <summary>What the kernel delta_chunk takes; delta_chunk.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct DeltaChunkArguments
{
    public required DeltaChunks Chunks;
    public required nint Projected; // float32 [T, 3·H·K + G_f + G_g + H] of one sequence
    public required nint DecayLogits; // float32 [T, H·K]
    public required nint QueryTaps; // float32 [W, H·K]
    public required nint KeyTaps; // float32 [W, H·K]
    public required nint ValueTaps; // float32 [W, H·K]
    public required nint DecayLog; // float32 [H]
    public required nint DecayBias; // float32 [H·K]
    public required nint Tail; // float32 [W − 1, 3·H·K]
    public required int Heads; // H
    public required int HeadDim; // K, a multiple of 16
    public required int Taps; // W
    public required int RowLength; // 3·H·K + G_f + G_g + H
    public required int Tokens; // T
}
