using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>
/// Kernels of machine code leave the caller's registers as they were, with the convention of either system: a compiled caller keeps
/// what it wants in them, and would compute with something else only now and then.
/// </summary>
public sealed unsafe class KernelRegistersTests
{
    private const int InputStride = 1024;

    private static readonly Dictionary<string, Action<MachineCodeWriter, MachineRegister>> Panels = new()
    {
        ["scaled bytes"] = PanelCode.Write<ScaledByteDot>,
        ["bytes"] = PanelCode.Write<ByteDot>,
        ["row shorts"] = PanelCode.Write<RowShortDot>,
        ["shorts"] = PanelCode.Write<ShortDot>,
        ["offset shorts"] = PanelCode.Write<OffsetShortDot>,
    };

    private static readonly Dictionary<string, Action<MachineCodeWriter, MachineRegister>> Rows = new()
    {
        ["one Q4, bytes"] = (code, argument) => new Q4RowsCode(code, 1, hasLowPlane: false).Write(argument),
        ["four Q4, bytes"] = (code, argument) => new Q4RowsCode(code, 4, hasLowPlane: false).Write(argument),
        ["one Q4, pairs"] = (code, argument) => new Q4RowsCode(code, 1, hasLowPlane: true).Write(argument),
        ["four Q4, pairs"] = (code, argument) => new Q4RowsCode(code, 4, hasLowPlane: true).Write(argument),
        ["one Q8"] = (code, argument) => new Q8RowsCode(code, 1).Write(argument),
        ["four Q8"] = (code, argument) => new Q8RowsCode(code, 4).Write(argument),
    };

    // Where the only argument is passed: on Unix and on Windows.
    private static readonly string[] ArgumentRegisters = [nameof(MachineRegister.Rdi), nameof(MachineRegister.Rcx)];

    public static TheoryData<string, string> PanelCases => new MatrixTheoryData<string, string>(Panels.Keys, ArgumentRegisters);

    public static TheoryData<string, string> RowsCases => new MatrixTheoryData<string, string>(Rows.Keys, ArgumentRegisters);

    [Theory]
    [MemberData(nameof(PanelCases))]
    public void PanelKernel_EitherConvention_KeepsTheCallersRegisters(string kernel, string argument)
    {
        // Without these instructions there is no way to run a kernel; nothing may claim otherwise.
        if (VnniKernels.Instance is null)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        using GuardedMemory input = new(16 * InputStride);
        using GuardedMemory sums = new(VnniKernels.RowGroup * WeightPanel.ScalesPerBlock * sizeof(float));
        foreach (int blockCount in (int[])[1, 2])
        {
            PanelArguments arguments = new()
            {
                Codes = input.Data,
                Scales = (float*)input.Data,
                Offsets = (float*)input.Data,
                Sums = (float*)sums.Data,
                BlockCount = blockCount,
            };
            for (int row = 0; row < VnniKernels.RowGroup; row++)
            {
                arguments.Inputs[row] = (long)(input.Data + (row * InputStride));
            }

            Assert.Equal([], ChangedBy(Panels[kernel], argument, &arguments));
        }
    }

    [Theory]
    [MemberData(nameof(RowsCases))]
    public void RowsKernel_EitherConvention_KeepsTheCallersRegisters(string kernel, string argument)
    {
        // Without these instructions there is no way to run a kernel; nothing may claim otherwise.
        if (VnniKernels.Instance is null)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        using GuardedMemory input = new(16 * InputStride);
        using GuardedMemory output = new(VnniKernels.RowGroup * InputStride);
        foreach ((int pairCount, int isOdd) in ((int, int)[])[(0, 1), (1, 0), (2, 1)])
        {
            RowsArguments arguments = new()
            {
                Tile = input.Data,
                TileCount = 2,
                PairCount = pairCount,
                IsOdd = isOdd,
                Output = (float*)output.Data,
            };
            for (int row = 0; row < VnniKernels.RowGroup; row++)
            {
                arguments.Inputs[row] = (long)(input.Data + (row * InputStride));
            }

            Assert.Equal([], ChangedBy(Rows[kernel], argument, &arguments));
        }
    }

    [Fact]
    public void ChangedBy_CodeThatKeepsNothing_NamesTheRegisters()
    {
        // The probe itself needs vectors of 512 bits.
        if (VnniKernels.Instance is null)
        {
            Assert.NotEqual(SimdWidth.Bits512Vnni, CpuBackends.Widest);
            return;
        }

        MachineRegister[] general = [MachineRegister.Rbx, MachineRegister.Rsi, MachineRegister.Rdi, MachineRegister.R12,
            MachineRegister.R13, MachineRegister.R14, MachineRegister.R15];
        const int FramePointer = 5;
        int argument = 0;

        string[] changed = ChangedBy(
            (code, _) =>
            {
                foreach (MachineRegister register in general.Append((MachineRegister)FramePointer))
                {
                    code.Clear(register);
                }

                for (int i = 0; i <= 31; i++)
                {
                    code.Vector(VectorInstruction.Xor, i, i, i);
                }

                code.Return();
            },
            nameof(MachineRegister.Rcx),
            &argument);

        IEnumerable<string> expected = general.Select(register => $"{register}")
            .Append("Rbp")
            .Concat(Enumerable.Range(6, 10).Select(i => $"Xmm{i}"));
        Assert.Equal(expected.Order(StringComparer.Ordinal), changed.Order(StringComparer.Ordinal));
    }

    private static string[] ChangedBy(Action<MachineCodeWriter, MachineRegister> write, string argument, void* arguments)
    {
        MachineRegister register = Enum.Parse<MachineRegister>(argument);
        MachineCodeWriter code = new();
        write(code, register);
        using RegisterProbe probe = new();
        return probe.ChangedBy(code, register, arguments);
    }
}
