namespace KimiLinear.Backends;

/// <summary>What the kernel gate_output takes; delta_gates.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct GateOutputArguments
{
    public required nint GateLogits; // float32 [T, H·K]
    public required nint Norm; // float32 [K]
    public required nint Output; // float32 [T, H·K]; in place
    public required int HeadDim; // K
    public required int Rows; // T·H
    public required float Epsilon;
}
