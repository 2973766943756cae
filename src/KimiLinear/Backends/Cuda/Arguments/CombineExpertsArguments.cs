namespace KimiLinear.Backends;

/// <summary>What the kernel combine_experts takes; combine_experts.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct CombineExpertsArguments
{
    public required nint Outputs; // float32 [T, A, D]
    public required nint Weights; // float32 [T, A]
    public required nint Hidden; // float32 [T, D], added to
    public required int Columns; // D, a multiple of 8
    public required int ActiveCount; // A
}
