namespace KimiLinear.Backends;

/// <summary>What the kernel expert_down takes; experts.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct ExpertDownArguments
{
    public required nint Activations; // float32 [T, A·F + F_s]
    public required nint Experts; // int32 [T, A] ascending
    public required nint Weights; // float32 [T, A]
    public required WeightMatrix Down; // [E, D, F]
    public required WeightMatrix SharedDown; // [D, F_s]
    public required nint Hidden; // float32 [T, D], added to
    public required int Columns; // D
    public required int ExpertDim; // F
    public required int SharedDim; // F_s; 0 when there is no shared expert
    public required int ActiveCount; // A
}
