using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>What <see cref="PanelCode"/> works on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct PanelArguments
{
    public byte* Codes;

    /// <summary>The addresses of four rows of activations.</summary>
    public fixed long Inputs[VnniKernels.RowGroup];

    public float* Scales;
    public float* Offsets;
    public float* Sums;
    public long BlockCount;

    /// <summary>Bytes from a row's codes to its scales.</summary>
    public long InputScales;

    /// <summary>Bytes from a row's codes to its offsets, or to its bias sums, whichever the kernel takes.</summary>
    public long InputOffsets;

    /// <summary>Where registers that belong to the caller are kept meanwhile.</summary>
    public fixed long Kept[6];
}
