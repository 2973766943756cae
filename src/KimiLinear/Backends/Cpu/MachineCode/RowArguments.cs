using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>What <see cref="RowCode"/> works on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RowArguments
{
    /// <summary>The first pair of blocks of a tile.</summary>
    public byte* Pair;

    /// <summary>The plane of high bytes.</summary>
    public byte* High;

    /// <summary>The plane of low bytes.</summary>
    public byte* Low;

    public float* InputScales;
    public float* InputOffsets;
    public long PairCount;

    /// <summary>One if a block is left behind the pairs, else zero.</summary>
    public long IsOdd;

    public float* RowScales;
    public float* Output; // [16]

    /// <summary>Ones in the lower half of each byte.</summary>
    public uint LowerHalves;

    /// <summary>Ones in the upper half of each byte.</summary>
    public uint UpperHalves;

    /// <summary>What a zero point counts in.</summary>
    public float ZeroStep;
}
