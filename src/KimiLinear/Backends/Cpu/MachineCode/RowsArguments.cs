using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>What <see cref="RowsCode"/> works on. It counts on in here as it goes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RowsArguments
{
    public byte* Tile;
    public long TileBytes;
    public long TileCount;

    /// <summary>The addresses of the rows of activations.</summary>
    public fixed long Inputs[VnniKernels.RowGroup];

    /// <summary>Bytes from a row's high bytes to its low ones.</summary>
    public long LowPlane;

    /// <summary>Bytes from a row's codes to its scales.</summary>
    public long InputScales;

    /// <summary>Bytes from a row's codes to its offsets, or to minus the sums of its codes, whichever the kernel takes.</summary>
    public long InputOffsets;

    public long PairCount;

    /// <summary>One if a block is left behind the pairs, else zero.</summary>
    public long IsOdd;

    public float* Output; // [tiles, rows, 16]

    /// <summary>Ones in the lower half of each byte.</summary>
    public uint LowerHalves;

    /// <summary>Ones in the upper half of each byte.</summary>
    public uint UpperHalves;

    /// <summary>What a zero point counts in.</summary>
    public float ZeroStep;

    /// <summary>Where registers that belong to the caller are kept meanwhile.</summary>
    public fixed long Kept[3];
}
