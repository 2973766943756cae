namespace KimiLinear.Backends;

/// <summary>What the kernel rms_norm takes; rms_norm.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct RmsNormArguments
{
    public required nint Input; // float32 [T, C]
    public required nint Norm; // float32 [C]
    public required nint Output; // float32 [T, C]
    public required int Columns; // C
    public required float Epsilon;
}
