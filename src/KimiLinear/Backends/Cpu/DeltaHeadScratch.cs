namespace KimiLinear.Backends;

/// <summary>One worker's memory for a run of tokens of one Kimi Delta head.</summary>
internal readonly unsafe struct DeltaHeadScratch(float* memory, int tokenCapacity, int headDim, int firstToken = 0)
{
    private readonly long _length = (long)tokenCapacity * headDim;
    private readonly long _first = (long)firstToken * headDim;

    public float* Query => memory + _first; // [T, K]

    public float* Key => memory + _length + _first; // [T, K]

    public float* Value => memory + (2 * _length) + _first; // [T, V]

    /// <summary>First the log decay g, then α = exp g.</summary>
    public float* Decay => memory + (3 * _length) + _first; // [T, K]

    /// <summary>The output gate before its sigmoid.</summary>
    public float* Gate => memory + (4 * _length) + _first; // [T, V]

    public float* Beta => memory + (5 * _length) + firstToken; // [T]

    /// <summary>What the delta kernels work in.</summary>
    public float* Kernel => memory + (5 * _length) + tokenCapacity;

    /// <summary>The same memory for the tokens from one on; the kernels' own is shared.</summary>
    public DeltaHeadScratch From(int token) => new(memory, tokenCapacity, headDim, firstToken + token);

    /// <summary>Values needed, the kernels' own included.</summary>
    public static long Length(int tokenCapacity, int headDim, long kernelLength) =>
        (5L * tokenCapacity * headDim) + tokenCapacity + kernelLength;
}
