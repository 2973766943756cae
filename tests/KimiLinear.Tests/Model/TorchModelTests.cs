using KimiLinear.Backends;
using KimiLinear.Caching;
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

    private static double Error(string modelName, LatentPrecision latents)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Load(modelName, latents);
        return TensorAssert.RelativeRms(model.EveryLogits(expected.InputIds), expected.Logits);
    }

    private static KimiLinearModel Load(string modelName, LatentPrecision latents) => ModelLoader.Load(
        Golden.Model(modelName),
        new ModelLoadOptions { LatentCache = latents },
        (config, _) => TorchBackends.OnCpu(config, new TorchForms(), libtorchFolder: null),
        progress: null,
        CancellationToken.None);
}
