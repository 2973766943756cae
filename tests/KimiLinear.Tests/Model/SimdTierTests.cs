using System.Runtime.Intrinsics.X86;
using KimiLinear.Backends;
using KimiLinear.Model;
using KimiLinear.Tests.Backends;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>
/// Golden checkpoints and packed weights on processors with narrower vectors, played by this one in a process of its own.
/// </summary>
public sealed class SimdTierTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", nameof(SimdWidth.Bits256))]
    [InlineData("DOTNET_EnableAVX2", nameof(SimdWidth.Bits128))]
    [InlineData("DOTNET_EnableHWIntrinsic", nameof(SimdWidth.Scalar))]
    public async Task GoldenModels_VectorsSwitchedOff_MatchOnTheNextNarrower(string runtimeSwitch, string widestLeft)
    {
        string[] passed = await NarrowerProcess.PassedTestsAsync(runtimeSwitch, $"{typeof(GoldenModelTests).FullName}.*");

        Assert.Equal(ExpectedTests(NarrowerProcess.WidestLeft(runtimeSwitch, Enum.Parse<SimdWidth>(widestLeft))), passed);
    }

    /// <summary>Who compiles ahead of time and names no instructions is told why the model is slow.</summary>
    [Fact]
    public void DeviceReason_ProcessorOfThisMachine_SaysWhetherTheProgramLeavesVectorsUnused()
    {
        // Only Linux has such a file; elsewhere it is taken for granted.
        const string Description = "/proc/cpuinfo";
        bool hasAvx2 = X86Base.IsSupported
            && (!File.Exists(Description) || File.ReadAllText(Description).Contains(" avx2", StringComparison.Ordinal));
        using KimiLinearModel model = KimiLinearModel.Load(
            Golden.Model("plain"), new ModelLoadOptions { Device = ComputeDevice.Cpu });

        Assert.Equal(
            hasAvx2 && !Avx2.IsSupported, model.DeviceReason.Contains("IlcInstructionSet", StringComparison.Ordinal));
        Assert.StartsWith("it was asked for", model.DeviceReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DeviceReason_VectorsSwitchedOff_SaysSo()
    {
        string name = $"{typeof(SimdTierTests).FullName}."
            + nameof(DeviceReason_ProcessorOfThisMachine_SaysWhetherTheProgramLeavesVectorsUnused);

        Assert.Equal([name], await NarrowerProcess.PassedTestsAsync("DOTNET_EnableAVX2", name));
    }

    // The sums of whole models are rounded otherwise in every width; those of packed weights are the same where the machine
    // multiplies and adds in one rounding, which the known input tells.
    [Theory]
    [InlineData("DOTNET_EnableAVX512v3", nameof(SimdWidth.Bits512))]
    [InlineData("DOTNET_EnableAVX512", nameof(SimdWidth.Bits256))]
    [InlineData("DOTNET_EnableAVX2", nameof(SimdWidth.Bits128))]
    [InlineData("DOTNET_EnableGFNI", nameof(SimdWidth.Bits512Vnni))]
    [InlineData("DOTNET_EnableHWIntrinsic", nameof(SimdWidth.Scalar))]
    public async Task PackedWeights_VectorsSwitchedOff_MatchThePlainLoops(string runtimeSwitch, string widestLeft)
    {
        SimdWidth left = NarrowerProcess.WidestLeft(runtimeSwitch, Enum.Parse<SimdWidth>(widestLeft));
        string knownInput = $"{typeof(PackedProductTests).FullName}."
            + nameof(PackedProductTests.MultiplyTiles_KnownInput_GivesTheSameBitsOnEveryMachine);
        string model =
            $"{typeof(PackedModelTests).FullName}.{nameof(PackedModelTests.Forward_AnyPrecision_IsNearThePlainLoops)}";

        string[] passed = await NarrowerProcess.PassedTestsAsync(
            runtimeSwitch,
            $"{typeof(IntegerSimdTests).FullName}.*",
            $"{typeof(ActivationQuantizerTests).FullName}.*",
            $"{typeof(PackedPanelTests).FullName}.*",
            $"{typeof(PackedProductTests).FullName}.*",
            model);

        IEnumerable<string> expected = Enum.GetValues<SimdWidth>()
            .Where(width => width <= left || width == SimdWidth.Bits128)
            .Select(width => $"{knownInput}(width: \"{width}\")")
            .Concat(PackedModels.Formats.Select(
                format => $"{model}(name: \"{PackedModels.Odd}\", format: {format}, width: \"{left}\")"));
        Assert.Superset(expected.ToHashSet(), passed.ToHashSet());
    }

    private static string[] ExpectedTests(SimdWidth width) =>
    [
        .. Golden.ModelNames
            .SelectMany(model => (string[])
            [
                TestName(nameof(GoldenModelTests.Forward_GreedyFrom24Tokens_MatchesGolden), model, width),
                TestName(nameof(GoldenModelTests.Forward_WholePrompt_MatchesGolden), model, width),
            ])
            .Order(),
    ];

    private static string TestName(string method, string modelName, SimdWidth width) =>
        $"{typeof(GoldenModelTests).FullName}.{method}(modelName: \"{modelName}\", backend: \"{width}\")";
}
