namespace KimiLinear.Backends;

/// <summary>What the kernels count_experts and order_experts take; order_experts.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct OrderExpertsArguments
{
    public required nint Experts; // int32 [T·A], below E
    public required nint Counts; // int32 [chunks, E], between the kernels
    public required nint Order; // int32 [T·A], the rows by expert
    public required nint Tiles; // int32 [tiles, 4]: expert, first place in the order, how many places, 0
    public int Rows; // T·A; this and what follows is set by the launch
    public int ExpertCount; // E
    public int TileRows; // places of a tile at most
    public int TileCount; // as many as any choice can make
}
