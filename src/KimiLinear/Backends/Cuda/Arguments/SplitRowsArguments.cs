namespace KimiLinear.Backends;

/// <summary>What the kernel split_rows takes; split_rows.cu says more.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct SplitRowsArguments
{
    public required nint Input; // float32 [rows, C]
    public required nint Norm; // float32 [C], or null
    public required nint Rows; // int32 [T], which rows of the input; null: the first T
    public required nint Parts; // bfloat16 [P, T, C]
    public required int Columns; // C, a multiple of 8
    public required int Tokens; // T
    public required int PartCount; // P: 1 or 2
    public required float Epsilon;
}
