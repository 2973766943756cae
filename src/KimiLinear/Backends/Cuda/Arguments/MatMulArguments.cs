namespace KimiLinear.Backends;

/// <summary>What the kernels matmul_16_1 to matmul_128_2 take; matmul.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct MatMulArguments
{
    public required nint Input; // bfloat16 [P, T, C]
    public required WeightMatrix Weight; // [X, C]
    public required nint Output; // float32 [T, stride]
    public required int Columns; // C, a multiple of 8
    public required int Outputs; // X
    public required int OutputStride; // values from one token's outputs to the next's
    public required int Tokens; // T
    public required int Adds; // 1: to what the output holds
}
