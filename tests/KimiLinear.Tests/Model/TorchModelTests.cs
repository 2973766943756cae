using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using TorchSharp;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>What is particular to TorchSharp: latent rows in bfloat16, and tensors that must not be left behind.</summary>
[Collection(ProcessWide.Name)]
public sealed class TorchModelTests
{
    public static TheoryData<string> Models => new(Golden.ModelNames);

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_BFloat16LatentRows_WithinOneHundredthOfGolden(string modelName) =>
        Assert.InRange(Error(modelName, LatentPrecision.BFloat16), 1e-5, 1e-2);

    // Products of bfloat16 numbers, rows in bfloat16: what tensor cores do.
    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_BFloat16Pairs_WithinOneHundredthOfGolden(string modelName) =>
        Assert.InRange(Error(modelName, LatentPrecision.BFloat16, TorchFactors.BFloat16Pairs), 1e-5, 1e-2);

    // Further from golden than float32, so they are rounded, and hardly.
    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_BFloat16PairsAndFloat32Rows_WithinTwoTenThousandthsOfGolden(string modelName) => Assert.InRange(
        Error(modelName, LatentPrecision.Float32, TorchFactors.BFloat16Pairs), 2 * Error(modelName, LatentPrecision.Float32), 2e-4);

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_Float32_WithinTenThousandthOfGolden(string modelName) =>
        Assert.InRange(Error(modelName, LatentPrecision.Float32), 0, 1e-4);

    [Fact]
    public void Forward_ManySequences_LeavesNoTensorsBehind()
    {
        using KimiLinearModel model = Load("no-shared", LatentPrecision.Float32);
        Run(70);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        for (int i = 0; i < 20; i++)
        {
            Run(1 + (i * 7 % 70));
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Run(int length)
        {
            using SequenceState sequence = model.CreateSequence();
            model.Forward(sequence, new int[length], []);
            model.Decode(sequence, 1, 2, 3);
            using SequenceState fork = sequence.Fork();
            using (fork.Save())
            {
                model.Decode(fork, 4);
            }
        }
    }

    [Fact]
    public void Load_IntegerLatentRows_SaysWhatTorchTakes()
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(
            () => Load("plain", LatentPrecision.Int16));

        Assert.Contains("Int16", error.Message, StringComparison.Ordinal);
        Assert.Contains("Float32 or BFloat16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Allocate_MoreThanThereIs_SaysForWhat()
    {
        using KimiLinearModel model = Load("plain", LatentPrecision.Float32);
        using ComputeBackend backend = TorchBackends.OnCpu(model.Config, new TorchForms(), threadCount: 1, libtorchFolder: null);

        DeviceMemoryException error = Assert.Throws<DeviceMemoryException>(() => backend.Allocate(1L << 40, 1L << 10));

        Assert.StartsWith(
            "The device has not enough memory for activations. libtorch says: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Load_DeviceOption_ComputesThere()
    {
        using KimiLinearModel cpu = KimiLinearModel.Load(Golden.TinyModel, new ModelLoadOptions { Device = ComputeDevice.Cpu });
        using KimiLinearModel torchCpu = KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { Device = ComputeDevice.TorchCpu, ThreadCount = 1 });

        TensorAssert.Close(torchCpu.EveryLogits([1, 2, 3]), cpu.EveryLogits([1, 2, 3]), 1e-4, "logits");
        Assert.StartsWith("CPU", cpu.DeviceDescription, StringComparison.Ordinal);
        Assert.Equal("torch cpu", torchCpu.DeviceDescription);
    }

    [Fact]
    public void Load_QuantisedWeights_ComputesWithTheirValues()
    {
        ModelLoadOptions options = new() { Format = WeightFormat.Q8, Activations = ActivationPrecision.Float32 };
        using KimiLinearModel cpu = KimiLinearModel.Load(Golden.TinyModel, options with { Device = ComputeDevice.Cpu });
        using KimiLinearModel torchCpu = KimiLinearModel.Load(
            Golden.TinyModel, options with { Device = ComputeDevice.TorchCpu, ThreadCount = 1 });

        TensorAssert.Close(torchCpu.EveryLogits([1, 2, 3]), cpu.EveryLogits([1, 2, 3]), 1e-4, "logits");
    }

    [Fact]
    public void Survey_ThisProcess_FindsTheProcessorBothWays()
    {
        IReadOnlyList<ComputeDeviceStatus> devices = ComputeDevices.Survey();

        Assert.Equal(["cpu", "cuda:0", "torch:cuda:0", "torch:cpu", "auto"], devices.Select(status => status.Device.ToString()));
        Assert.True(devices[0].IsAvailable && devices[3].IsAvailable && devices[4].IsAvailable);
        Assert.All(devices, status => Assert.NotEmpty(status.Detail));
    }

    private static double Error(string modelName, LatentPrecision latents, TorchFactors factors = TorchFactors.Float32)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Load(modelName, latents, factors);
        return TensorAssert.RelativeRms(model.EveryLogits(expected.InputIds), expected.Logits);
    }

    private static KimiLinearModel Load(
        string modelName, LatentPrecision latents, TorchFactors factors = TorchFactors.Float32) => ModelLoader.Load(
            Golden.Model(modelName),
            new ModelLoadOptions { LatentCache = latents },
            (config, _) => TorchBackends.OnCpu(config, new TorchForms { Factors = factors }, threadCount: 1, libtorchFolder: null),
            progress: null,
            CancellationToken.None);
}
