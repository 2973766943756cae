using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KimiLinear.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Backends;

/// <summary>When there are kernels of machine code, and when there are none.</summary>
public sealed class VnniKernelsTests
{
    [Fact]
    public void Instance_ThisProcess_IsThereWhereInstructionsAreAndAllowed()
    {
        bool isAllowed = !AppContext.TryGetSwitch(VnniKernels.Switch, out bool isOn) || isOn;
        bool expected = isAllowed
            && Environment.Is64BitProcess
            && Vector512.IsHardwareAccelerated
            && Avx512Vbmi2.IsSupported
            && HasInstructions();

        Assert.Equal(expected, VnniKernels.Instance is not null);
        Assert.Equal(expected, CpuBackends.Widest == SimdWidth.Bits512Vnni);
    }

    [Fact]
    public void Instance_AskedAgain_IsTheSame() => Assert.Same(VnniKernels.Instance, VnniKernels.Instance);

    [Fact]
    public async Task Instance_SwitchedOff_LeavesCompiledKernelsOfTheSameWidth()
    {
        string instance = $"{typeof(VnniKernelsTests).FullName}."
            + nameof(Instance_ThisProcess_IsThereWhereInstructionsAreAndAllowed);
        string knownInput = $"{typeof(PackedProductTests).FullName}."
            + nameof(PackedProductTests.MultiplyTiles_KnownInput_GivesTheSameBitsOnEveryMachine);

        string[] passed = await NarrowerProcess.PassedTestsWithoutAsync(VnniKernels.Switch, instance, knownInput);

        // The widths of the other process: those of this one but for the kernels of machine code.
        IEnumerable<string> expected = Kernels.IntegerWidths
            .Select(row => $"{knownInput}(width: \"{row.Data}\")")
            .Append(instance)
            .Order();
        Assert.Equal(expected, passed);
    }

    // Linux has a file that says so; elsewhere the processor's own word is all there is.
    private static bool HasInstructions()
    {
        const string Description = "/proc/cpuinfo";
        return File.Exists(Description)
            ? File.ReadAllText(Description).Contains(" avx512_vnni", StringComparison.Ordinal)
            : Processor.HasAvx512Vnni;
    }
}
