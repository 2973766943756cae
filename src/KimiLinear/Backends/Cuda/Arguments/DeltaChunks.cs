namespace KimiLinear.Backends;

/// <summary>What lies between the kernels of chunked Kimi Delta Attention, as delta_chunks.h has it.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct DeltaChunks
{
    public required nint Rows; // bfloat16 [chunks, H, 3, parts, 64, K]
    public required nint Pairs; // bfloat16 [chunks, H, parts, 64, 64]
    public required nint Values; // float32 [chunks, H, 64, K]
    public required nint Decays; // float32 [chunks, H, K]
}
