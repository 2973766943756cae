using System.Runtime.Intrinsics.X86;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Kernels with the 512-bit instructions that multiply and add in one (AVX-512 VNNI), written when first wanted.</summary>
internal sealed unsafe class VnniKernels
{
    private static readonly Lazy<VnniKernels?> Once = new(TryCreate);

    private readonly delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void> _scaledBytes;
    private readonly delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void> _bytes;
    private readonly delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void> _rowShorts;
    private readonly delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void> _shorts;
    private readonly delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void> _offsetShorts;
    private readonly delegate* unmanaged[SuppressGCTransition]<RowArguments*, void> _row;

    private VnniKernels(byte* code, int[] places)
    {
        _scaledBytes = (delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void>)(code + places[0]);
        _bytes = (delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void>)(code + places[1]);
        _rowShorts = (delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void>)(code + places[2]);
        _shorts = (delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void>)(code + places[3]);
        _offsetShorts = (delegate* unmanaged[SuppressGCTransition]<PanelArguments*, void>)(code + places[4]);
        _row = (delegate* unmanaged[SuppressGCTransition]<RowArguments*, void>)(code + places[5]);
    }

    /// <summary>The kernels; <see langword="null"/> where the processor or the system has no place for them.</summary>
    public static VnniKernels? Instance => Once.Value;

    /// <summary>As <see cref="PanelKernel{TSimd,TVector,TIntegers,TInteger}.FourTiles"/>, to the last bit.</summary>
    public void FourTiles<TDot>(WeightPanel panel, byte* x0, byte* x1, byte* x2, byte* x3, float* sums) // [4 tiles, 4 rows, 16]
        where TDot : struct, IPanelDot
    {
        new Span<float>(sums, 4 * WeightPanel.ScalesPerBlock).Clear();
        long scales = 2L * panel.BlockCount * QuantizedRows.BlockColumns;
        PanelArguments arguments = new()
        {
            Codes = panel.Codes,
            X0 = x0,
            X1 = x1,
            X2 = x2,
            X3 = x3,
            Scales = panel.Scales,
            Offsets = panel.Offsets,
            Sums = sums,
            BlockCount = panel.BlockCount,
            InputScales = scales,
            InputOffsets = scales + (panel.BlockCount * sizeof(float)),
        };
        var kernel = typeof(TDot) == typeof(ScaledByteDot) ? _scaledBytes
            : typeof(TDot) == typeof(ByteDot) ? _bytes
            : typeof(TDot) == typeof(RowShortDot) ? _rowShorts
            : typeof(TDot) == typeof(ShortDot) ? _shorts
            : _offsetShorts;
        kernel(&arguments);
    }

    /// <summary>As <see cref="PackedQ4Kernel{TSimd,TVector,TIntegers,TInteger}.One"/> for two planes, to the last bit.</summary>
    public void OneRow(byte* tile, byte* x, int blockCount, float* output)
    {
        byte* low = x + (blockCount * QuantizedRows.BlockColumns);
        float* scales = (float*)(low + (blockCount * QuantizedRows.BlockColumns));
        RowArguments arguments = new()
        {
            Pair = tile + PackedLayout.RowScaleBytes,
            High = x,
            Low = low,
            InputScales = scales,
            InputOffsets = scales + blockCount,
            PairCount = blockCount / 2,
            IsOdd = blockCount & 1,
            RowScales = (float*)tile,
            Output = output,
            LowerHalves = 0x0F0F0F0F,
            UpperHalves = 0xF0F0F0F0,
            ZeroStep = 1f / PackedLayout.ZeroSteps,
        };
        _row(&arguments);
    }

    private static VnniKernels? TryCreate()
    {
        if (!IsSupported)
        {
            return null;
        }

        MachineCodeWriter code = new();
        MachineRegister argument = OperatingSystem.IsWindows() ? MachineRegister.Rcx : MachineRegister.Rdi;
        int[] places = new int[6];
        places[0] = Place(code);
        PanelCode.Write<ScaledByteDot>(code, argument);
        places[1] = Place(code);
        PanelCode.Write<ByteDot>(code, argument);
        places[2] = Place(code);
        PanelCode.Write<RowShortDot>(code, argument);
        places[3] = Place(code);
        PanelCode.Write<ShortDot>(code, argument);
        places[4] = Place(code);
        PanelCode.Write<OffsetShortDot>(code, argument);
        places[5] = Place(code);
        RowCode.Write(code, argument);
        byte* memory = ExecutableMemory.TryPlace(code.ToArray());
        return memory == null ? null : new VnniKernels(memory, places);
    }

    private static int Place(MachineCodeWriter code)
    {
        code.Align();
        return code.Here;
    }

    // The runtime has no name for the instructions, but one for their neighbours, which it leaves out where it shall use none of them.
    private static bool IsSupported => Avx512Vbmi2.IsSupported && Environment.Is64BitProcess && Processor.HasAvx512Vnni;
}
