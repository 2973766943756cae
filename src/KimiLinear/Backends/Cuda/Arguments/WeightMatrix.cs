namespace KimiLinear.Backends;

/// <summary>Where the weights of a matrix, or of several that lie one behind the other, begin, as weights.h has it.</summary>
/// <remarks>The fields are those of the structure of the same name there, in its order.</remarks>
internal struct WeightMatrix
{
    public required nint Values; // [X, C] in the format of the kernel
    public nint Scales; // [blocks of C, stride] for each matrix; null in bfloat16
    public nint RowScales; // float32 [X] of 4-bit codes, else null
    public int ScaleStride; // rows, X rounded up to 8
}
