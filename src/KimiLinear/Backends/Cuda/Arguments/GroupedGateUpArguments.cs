namespace KimiLinear.Backends;

/// <summary>What the kernels grouped_gate_up_16_1 to grouped_gate_up_128_2 take; grouped_experts.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct GroupedGateUpArguments
{
    public required nint Input; // bfloat16 [P, T, D]
    public required WeightMatrix GateUp; // [E, 2·F, D]: the gate's rows, then those of up
    public required nint Tiles; // int32 [tiles, 4]; null: one expert for every token in its order
    public required nint Order; // int32 [T·A]; null with tiles
    public required nint Activations; // bfloat16 [P, T·A, F], by place in the order
    public required int Columns; // D, a multiple of 8
    public required int ExpertDim; // F, a multiple of 8
    public int Tokens; // T; this and what follows is set by the launch
    public int ActiveCount; // A; 1 without tiles
    public int TileCount;
}
