using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>Whole models on the CUDA backend whose weights have scales, against plain loops over the same weights.</summary>
public sealed class ScaledModelTests
{
    // Of inputs in two parts, as CudaModelTests has it.
    private const double SplitTolerance = 5e-5;

    // Of the matrices inside attention, which become bfloat16: 2^-9 of every value.
    private const double PlainTolerance = 1e-2;

    private const int PromptLength = 20;
    private const int DecodedTokens = 3;

    // Three blocks of columns, one in the experts, and a shared expert that is wider.
    private static readonly KimiLinearConfig Config = KimiLinearConfig.Load(Golden.TinyModel) with
    {
        HiddenDim = 96,
        DenseDim = 160,
        ExpertDim = 32,
        ExpertCount = 7,
        ActiveExpertCount = 3,
        SharedExpertCount = 2,
        DeltaHeadCount = 3,
        DeltaHeadDim = 32,
        VocabularySize = 112,
    };

    [Theory]
    [InlineData(WeightFormat.Q4)]
    [InlineData(WeightFormat.Q8)]
    [InlineData(WeightFormat.Q4Q8)]
    [InlineData(WeightFormat.Float8)]
    public void Forward_EveryFormat_MatchesPlainLoops(WeightFormat format)
    {
        using EmulatedModel emulated =
            new(Weights(format), Config, LatentPrecision.Float32, ActivationPrecision.Float32);

        float[] actual = Run(emulated.Model);

        using KimiLinearModel reference = Reference(Weights(format), Config);
        TensorAssert.Close(actual, Run(reference), SplitTolerance, "logits");
    }

    [Theory]
    [InlineData("block")]
    [InlineData("channel")]
    [InlineData("tensor")]
    public void Forward_PublishedFloat8_MatchesPlainLoops(string kind)
    {
        using Float8ModelFolder folder = new("head128", kind);
        KimiLinearConfig config = KimiLinearConfig.Load(folder.Path);
        using EmulatedModel emulated =
            new(Checkpoint.Open(folder.Path), config, LatentPrecision.Float32, ActivationPrecision.Float32);

        float[] actual = Run(emulated.Model);

        using KimiLinearModel reference = Reference(Checkpoint.Open(folder.Path), config);
        TensorAssert.Close(actual, Run(reference), PlainTolerance, "logits");
    }

    private static Checkpoint Weights(WeightFormat format) =>
        new RandomWeights(Config, format, seed: 1) { MatrixDeviation = 0.1f }.Create(1, progress: null, default);

    private static KimiLinearModel Reference(Checkpoint checkpoint, KimiLinearConfig config)
    {
        ReferenceBackend backend = new(config);
        Network network = new WeightBinder(checkpoint, backend, progress: null, default).Bind();
        return new KimiLinearModel(
            "reference", checkpoint, new DeviceChoice(backend, DeviceChoice.Named), network, LatentPrecision.Float32);
    }

    // A prompt on tensor cores, then single tokens.
    private static float[] Run(KimiLinearModel model)
    {
        int width = model.Config.VocabularySize;
        int[] ids = [.. Enumerable.Range(0, PromptLength + DecodedTokens).Select(i => ((i * 37) + 5) % width)];
        using SequenceState sequence = model.CreateSequence();
        float[] prompt = model.EveryLogits(sequence, ids[..PromptLength], PromptLength);
        return [.. prompt, .. model.Decode(sequence, ids[PromptLength..])];
    }
}
