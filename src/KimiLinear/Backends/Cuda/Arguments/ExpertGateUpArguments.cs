namespace KimiLinear.Backends;

/// <summary>What the kernel expert_gate_up takes; experts.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct ExpertGateUpArguments
{
    public required nint Input; // float32 [T, D]
    public required nint Norm; // float32 [D], or null when the input is normed
    public required WeightMatrix GateUp; // [E, 2·F, D]: the gate's rows, then those of up
    public required WeightMatrix SharedGateUp; // [2·F_s, D]
    public required nint Experts; // int32 [T, A]
    public required nint Activations; // float32 [T, A·F + F_s]
    public required int Columns; // D
    public required int ExpertDim; // F
    public required int SharedDim; // F_s; 0 when there is no shared expert
    public required int ActiveCount; // A; 0 in a dense layer, which is one shared expert
    public required float Epsilon;
}
