namespace KimiLinear.Backends;

/// <summary>One worker's memory for a run of tokens of one Kimi Delta head.</summary>
internal readonly unsafe struct DeltaHeadScratch(float* memory, int tokenCapacity, int headDim)
{
    private readonly long _length = (long)tokenCapacity * headDim;

    public float* Query => memory; // [T, K]

    public float* Key => memory + _length; // [T, K]

    public float* Value => memory + (2 * _length); // [T, V]

    /// <summary>First the log decay g, then α = exp g.</summary>
    public float* Decay => memory + (3 * _length); // [T, K]

    /// <summary>The output gate before its sigmoid.</summary>
    public float* Gate => memory + (4 * _length); // [T, V]

    public float* Beta => memory + (5 * _length); // [T]

    /// <summary>What the delta kernels work in.</summary>
    public float* Kernel => Beta + tokenCapacity;

    /// <summary>Values needed, the kernels' own included.</summary>
    public static long Length(int tokenCapacity, int headDim, long kernelLength) =>
        (5L * tokenCapacity * headDim) + tokenCapacity + kernelLength;
}
