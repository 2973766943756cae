using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>Whole models on the CUDA backend, in steps that the kernels for prompts take.</summary>
public sealed class CudaPromptTests
{
    // Two parts of bfloat16, see CudaModelTests.
    private const double SplitTolerance = 5e-5;

    private static readonly string[] PromptKernels = ["delta_chunk", "delta_scan", "expanded_attend_2", "gate_output", "gather_latent"];

    [Theory]
    [InlineData(31, false)]
    [InlineData(32, true)]
    public void Forward_Tokens_ChooseTheKernels(int tokenCount, bool isPrompt)
    {
        using GoldenExpectation expected = new("plain");
        using EmulatedModel emulated = new("plain");
        using SequenceState sequence = emulated.Model.CreateSequence();

        emulated.Model.Forward(sequence, expected.InputIds.AsSpan(0, tokenCount), []);

        Assert.Equal(isPrompt ? PromptKernels : [], emulated.Kernels.Intersect(PromptKernels).Order());
        Assert.Equal(isPrompt, !emulated.Kernels.Contains("kimi_delta_32"));
        Assert.Equal(isPrompt, !emulated.Kernels.Contains("latent_combine"));
    }

    [Theory]
    [InlineData("plain", 33)]
    [InlineData("strong-decay", 40)]
    [InlineData("head128", 50)]
    [InlineData("no-shared", 64)]
    public void Forward_PromptCutAnywhere_SameLogitsAsWhole(string modelName, int pieceLength)
    {
        using GoldenExpectation expected = new(modelName);
        using EmulatedModel emulated = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(100, expected.InputIds.Length)];
        using SequenceState sequence = emulated.Model.CreateSequence();

        float[] pieces = emulated.Model.EveryLogits(sequence, ids, pieceLength);

        TensorAssert.Close(pieces, emulated.Model.EveryLogits(ids), SplitTolerance, $"pieces of {pieceLength}");
    }

    [Fact]
    public void Forward_LongAndShortSequencesTogether_SameLogitsAsEachAlone()
    {
        using GoldenExpectation expected = new("plain");
        using EmulatedModel emulated = new("plain");
        KimiLinearModel model = emulated.Model;
        int[] before = [3, 0, 65, 1, 40, 2];
        int[] added = [1, 40, 5, 70, 33, 1];
        int width = model.Config.VocabularySize;
        int[][] inputs = [.. added.Select((count, i) => Enumerable.Range(5 * i, before[i] + count).Select(
            t => expected.InputIds[t % expected.InputIds.Length]).ToArray())];
        float[][] alone = [.. inputs.Select(model.EveryLogits)];
        SequenceState[] sequences = [.. inputs.Select(_ => model.CreateSequence())];
        for (int i = 0; i < inputs.Length; i++)
        {
            if (before[i] > 0)
            {
                model.Forward(sequences[i], inputs[i].AsSpan(0, before[i]), []);
            }
        }

        float[] logits = new float[added.Sum() * width];
        model.Forward(
            [.. sequences.Select((sequence, i) => new BatchEntry(sequence, inputs[i].AsMemory(before[i]), LogitsRequest.EveryToken))],
            logits);

        int first = 0;
        for (int i = 0; i < inputs.Length; i++)
        {
            int count = added[i] * width;
            TensorAssert.Close(
                logits.AsSpan(first, count).ToArray(), alone[i].AsSpan(before[i] * width, count).ToArray(), SplitTolerance, $"sequence {i}");
            first += count;
        }

        Array.ForEach(sequences, sequence => sequence.Dispose());
    }

    // One part of bfloat16 in products and in latent attention; the delta rule keeps two.
    [Theory]
    [InlineData("plain")]
    [InlineData("no-shared")]
    public void Forward_ManyTokensInOnePart_StayNearTwoParts(string modelName)
    {
        using GoldenExpectation expected = new(modelName);
        int[] ids = [.. Enumerable.Range(0, 150).Select(i => expected.InputIds[i % expected.InputIds.Length])];

        float[] exact = Logits(ActivationPrecision.Float32, "expanded_attend_2");
        float[] fast = Logits(ActivationPrecision.Auto, "expanded_attend_1");

        // The mean would tell of the few tokens for which rounding makes the router choose another expert.
        int width = fast.Length / ids.Length;
        double[] errors = [.. Enumerable.Range(0, ids.Length).Select(
            t => TensorAssert.RelativeRms(fast.AsSpan(t * width, width), exact.AsSpan(t * width, width))).Order()];
        Assert.InRange(errors[ids.Length / 2], 1e-4, 2e-2);

        float[] Logits(ActivationPrecision activations, string kernel)
        {
            using EmulatedModel emulated = new(modelName, activations: activations);
            float[] logits = emulated.Model.EveryLogits(ids);
            Assert.Contains(kernel, emulated.Kernels);
            return logits;
        }
    }
}
