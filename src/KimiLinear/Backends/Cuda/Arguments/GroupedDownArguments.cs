namespace KimiLinear.Backends;

/// <summary>What the kernels grouped_down_16_1 to grouped_down_128_2 take; grouped_experts.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct GroupedDownArguments
{
    public required nint Activations; // bfloat16 [P, T·A, F], by place in the order
    public required WeightMatrix Down; // [E, D, F]
    public required nint Tiles; // int32 [tiles, 4]
    public required nint Order; // int32 [T·A]
    public required nint Outputs; // float32 [T, A, D]
    public required int Columns; // D, a multiple of 8
    public required int ExpertDim; // F, a multiple of 8
    public int Rows; // T·A; this and what follows is set by the launch
    public int TileCount;
}
