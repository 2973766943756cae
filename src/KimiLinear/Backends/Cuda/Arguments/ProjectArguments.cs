namespace KimiLinear.Backends;

/// <summary>What the kernels project_1 to project_8 take; project.h says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct ProjectArguments
{
    public required nint Input; // float32 [rows, C]
    public required nint Norm; // float32 [C], or null
    public required WeightMatrix Weight; // [X, C]
    public required nint Rows; // int32 [T], which rows of the input; null: the first T
    public required nint Output; // float32 [T, stride]
    public required int Columns; // C
    public required int Outputs; // X
    public required int OutputStride; // values from one token's outputs to the next's
    public required int Tokens; // T
    public required int Adds; // 1: to what the output holds
    public required float Epsilon;
}
