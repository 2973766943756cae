namespace KimiLinear.Backends;

/// <summary>What the kernel select_experts takes; select_experts.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct SelectExpertsArguments
{
    public required nint Logits; // float32 [T, E]
    public required nint Bias; // float32 [E], takes part in the choice only
    public required nint Experts; // int32 [T, A] ascending
    public required nint Weights; // float32 [T, A]
    public required int ExpertCount; // E
    public required int ActiveCount; // A
    public required int GroupCount; // divides E; 1 means no groups
    public required int KeptGroupCount;
    public required int Normalizes; // 1: to a sum of one, where there are several
    public required float Scaling;
}
