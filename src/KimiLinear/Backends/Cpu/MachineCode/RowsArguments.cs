using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>What <see cref="RowsCode"/> works on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RowsArguments
{
    /// <summary>The first pair of blocks of a tile.</summary>
    public byte* Pair;

    public byte* X0;
    public byte* X1;
    public byte* X2;
    public byte* X3;

    /// <summary>Bytes from a row's high bytes to its low ones.</summary>
    public long LowPlane;

    /// <summary>Bytes from a row's codes to its scales.</summary>
    public long InputScales;

    /// <summary>Bytes from a row's codes to its offsets.</summary>
    public long InputOffsets;

    public long PairCount;

    /// <summary>One if a block is left behind the pairs, else zero.</summary>
    public long IsOdd;

    public float* RowScales;
    public float* Output; // [rows, 16]

    /// <summary>Ones in the lower half of each byte.</summary>
    public uint LowerHalves;

    /// <summary>Ones in the upper half of each byte.</summary>
    public uint UpperHalves;

    /// <summary>What a zero point counts in.</summary>
    public float ZeroStep;

    /// <summary>Where registers that belong to the caller are kept meanwhile.</summary>
    public fixed long Kept[3];
}
