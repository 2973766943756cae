using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// Kernels with the 512-bit instructions that multiply and add in one (AVX-512 VNNI), for which the runtime has no names yet: they
/// are written as machine code when first wanted.
/// </summary>
/// <remarks>
/// Results are those of the other kernels, to the last bit, but for the bits of what is no number. Why and how:
/// docs/machine-code.md.
/// </remarks>
internal sealed unsafe class VnniKernels
{
    /// <summary>Rows of activations that are multiplied at once.</summary>
    public const int RowGroup = 4;

    /// <summary>The name of a switch of the application, by which it can keep machine code from being written.</summary>
    public const string Switch = "KimiLinear.MachineCode";

    // What went wrong for a moment may go well the next time.
    private static readonly Lazy<VnniKernels?> Once = new(TryCreate, LazyThreadSafetyMode.PublicationOnly);

    private readonly nint[] _entries;

    private VnniKernels(nint[] entries)
    {
        _entries = entries;
    }

    private enum Entry
    {
        PanelScaledBytes,
        PanelBytes,
        PanelRowShorts,
        PanelShorts,
        PanelOffsetShorts,
        OneQ4Bytes,
        FourQ4Bytes,
        OneQ4BytePairs,
        FourQ4BytePairs,
        OneQ8,
        FourQ8,
    }

    /// <summary>The kernels; <see langword="null"/> where the processor or the system has no place for them.</summary>
    public static VnniKernels? Instance => Once.Value;

    /// <summary>
    /// As <see cref="PanelKernel{TSimd,TVector,TIntegers,TInteger}.FourTiles"/>; for <see cref="ScaledByteDot"/> a panel is as
    /// <see cref="VnniPanel"/> unpacks it.
    /// </summary>
    public void FourTiles<TDot>(WeightPanel panel, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        Debug.Assert(panel.BlockCount > 0, "The kernel looks for the end only behind a block.");
        long columns = (long)panel.BlockCount * QuantizedRows.BlockColumns;
        long scales = 2 * columns;
        PanelArguments arguments = new()
        {
            Codes = panel.Codes,
            Scales = panel.Scales,
            Offsets = panel.Offsets,
            Sums = sums,
            BlockCount = panel.BlockCount,
            InputScales = scales,
            InputOffsets = (TDot.HasIntegerScales ? columns : scales) + (panel.BlockCount * sizeof(float)),
        };
        arguments.Inputs[0] = (long)x0;
        arguments.Inputs[1] = (long)x1;
        arguments.Inputs[2] = (long)x2;
        arguments.Inputs[3] = (long)x3;
        ((delegate* unmanaged<PanelArguments*, void>)_entries[(int)PanelEntry<TDot>()])(&arguments);
    }

    /// <summary>One row of activations by packed tiles that follow each other, as the <c>One</c> of their kernel.</summary>
    public void OneRow(
        DataType type, QuantizedForm form, byte* tiles, int tileCount, byte* x, int blockCount, float* output) // [tiles, 16]
    {
        Entry entry = type == DataType.PackedQ8 ? Entry.OneQ8
            : form == QuantizedForm.Bytes ? Entry.OneQ4Bytes : Entry.OneQ4BytePairs;
        Rows(entry, type, tiles, tileCount, x, x, x, x, blockCount, output);
    }

    /// <summary>Four rows of activations by a packed tile, as the <c>Four</c> of its kernel.</summary>
    public void FourRows(
        DataType type, QuantizedForm form, byte* tile, byte* x0, byte* x1, byte* x2, byte* x3, int blockCount, float* output) // [4, 16]
    {
        Entry entry = type == DataType.PackedQ8 ? Entry.FourQ8
            : form == QuantizedForm.Bytes ? Entry.FourQ4Bytes : Entry.FourQ4BytePairs;
        Rows(entry, type, tile, 1, x0, x1, x2, x3, blockCount, output);
    }

    private void Rows(
        Entry entry,
        DataType type,
        byte* tiles,
        int tileCount,
        byte* x0,
        byte* x1,
        byte* x2,
        byte* x3,
        int blockCount,
        float* output)
    {
        Debug.Assert(tileCount > 0, "The kernel looks for the end only behind a tile.");
        long columns = (long)blockCount * QuantizedRows.BlockColumns;
        RowsArguments arguments = new()
        {
            Tile = tiles,
            TileBytes = PackedLayout.TileBytes(type, columns),
            TileCount = tileCount,
            LowPlane = columns,
            InputScales = 2 * columns,
            InputOffsets = entry is Entry.OneQ4Bytes or Entry.FourQ4Bytes
                ? columns
                : (2 * columns) + (blockCount * sizeof(float)),
            PairCount = blockCount / 2,
            IsOdd = blockCount % 2,
            Output = output,
            LowerHalves = 0x0F0F0F0F,
            UpperHalves = 0xF0F0F0F0,
            ZeroStep = 1f / PackedLayout.ZeroSteps,
        };
        arguments.Inputs[0] = (long)x0;
        arguments.Inputs[1] = (long)x1;
        arguments.Inputs[2] = (long)x2;
        arguments.Inputs[3] = (long)x3;
        ((delegate* unmanaged<RowsArguments*, void>)_entries[(int)entry])(&arguments);
    }

    private static Entry PanelEntry<TDot>()
        where TDot : struct, IPanelDot
    {
        if (typeof(TDot) == typeof(ScaledByteDot))
        {
            return Entry.PanelScaledBytes;
        }

        if (typeof(TDot) == typeof(ByteDot))
        {
            return Entry.PanelBytes;
        }

        if (typeof(TDot) == typeof(RowShortDot))
        {
            return Entry.PanelRowShorts;
        }

        Debug.Assert(typeof(TDot) == typeof(ShortDot) || typeof(TDot) == typeof(OffsetShortDot), "Every kind has a kernel.");
        return typeof(TDot) == typeof(ShortDot) ? Entry.PanelShorts : Entry.PanelOffsetShorts;
    }

    private static bool IsAllowed => !AppContext.TryGetSwitch(Switch, out bool isOn) || isOn;

    // The runtime has no name for these instructions, but one for their neighbours: where a process shall use none of those
    // (DOTNET_EnableAVX512v3=0), it uses none of these. A program compiled ahead of time knows only the sets it was compiled for.
    // Where the runtime finds vectors of 512 bits no faster than others, it is believed.
    private static bool IsSupported =>
        Environment.Is64BitProcess
        && Avx512BW.IsSupported
        && Vector512.IsHardwareAccelerated
        && (Avx512Vbmi2.IsSupported || !RuntimeFeature.IsDynamicCodeCompiled)
        && Processor.HasAvx512Vnni;

    private static VnniKernels? TryCreate()
    {
        if (!IsAllowed || !IsSupported)
        {
            return null;
        }

        MachineCodeWriter code = new();
        MachineRegister argument = OperatingSystem.IsWindows() ? MachineRegister.Rcx : MachineRegister.Rdi;
        Entry[] entries = Enum.GetValues<Entry>();
        nint[] places = new nint[entries.Length];
        foreach (Entry entry in entries)
        {
            code.Align();
            places[(int)entry] = code.Here;
            Write(entry, code, argument);
        }

        byte* memory = ExecutableMemory.TryPlace(code.ToArray());
        return memory == null ? null : new VnniKernels([.. places.Select(place => (nint)memory + place)]);
    }

    private static void Write(Entry entry, MachineCodeWriter code, MachineRegister argument)
    {
        switch (entry)
        {
            case Entry.PanelScaledBytes:
                PanelCode.Write<ScaledByteDot>(code, argument);
                break;
            case Entry.PanelBytes:
                PanelCode.Write<ByteDot>(code, argument);
                break;
            case Entry.PanelRowShorts:
                PanelCode.Write<RowShortDot>(code, argument);
                break;
            case Entry.PanelShorts:
                PanelCode.Write<ShortDot>(code, argument);
                break;
            case Entry.PanelOffsetShorts:
                PanelCode.Write<OffsetShortDot>(code, argument);
                break;
            case Entry.OneQ4Bytes or Entry.OneQ4BytePairs:
                new Q4RowsCode(code, 1, hasLowPlane: entry == Entry.OneQ4BytePairs).Write(argument);
                break;
            case Entry.FourQ4Bytes or Entry.FourQ4BytePairs:
                new Q4RowsCode(code, RowGroup, hasLowPlane: entry == Entry.FourQ4BytePairs).Write(argument);
                break;
            default:
                new Q8RowsCode(code, entry == Entry.OneQ8 ? 1 : RowGroup).Write(argument);
                break;
        }
    }
}
