using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>Whole models on the CUDA backend.</summary>
public sealed class CudaModelTests
{
    private const double Tolerance = 2e-4;
    private const double CutTolerance = 2e-5;

    // On tensor cores an input is the sum of two numbers of bfloat16: within 2^-17 of every value, 4e-6 on average, and some ten
    // products follow each other.
    private const double SplitTolerance = 5e-5;

    /// <summary>The golden checkpoints in bfloat16.</summary>
    public static TheoryData<string> Models => new(Golden.ModelNames.Except(["sharded-f16", "grouped"]));

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_WholePrompt_MatchesGolden(string modelName)
    {
        using GoldenExpectation expected = new(modelName);
        using EmulatedModel emulated = new(modelName);
        KimiLinearModel model = emulated.Model;
        using SequenceState sequence = model.CreateSequence();
        RecordingObserver observer = new();
        float[] logits = new float[expected.InputIds.Length * model.Config.VocabularySize];

        model.Forward([new BatchEntry(sequence, expected.InputIds, LogitsRequest.EveryToken)], logits, observer);

        for (int layer = 0; layer <= model.Config.LayerCount; layer++)
        {
            TensorAssert.Close([.. observer.Hidden[layer]], expected.Floats($"hidden.{layer}"), Tolerance, $"hidden.{layer}");
            if (layer < model.Config.LayerCount && model.Config.SparseLayers[layer])
            {
                Assert.Equal(expected.Integers($"router.{layer}.experts"), observer.Experts[layer]);
                TensorAssert.Close(
                    [.. observer.Weights[layer]], expected.Floats($"router.{layer}.weights"), Tolerance, $"router.{layer}.weights");
            }
        }

        TensorAssert.Close(logits, expected.Logits, Tolerance, "logits");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_GreedyFrom24Tokens_MatchesGolden(string modelName)
    {
        using GoldenExpectation expected = new(modelName);
        using EmulatedModel emulated = new(modelName);
        using SequenceState sequence = emulated.Model.CreateSequence();

        float[] logits = emulated.Model.LastLogits(sequence, expected.GreedyFrom24[..24]);
        int[] continuation = emulated.Model.ContinueGreedily(sequence, logits, expected.GreedyFrom24.Length - 24);

        Assert.Equal(expected.GreedyFrom24[24..], continuation);
        Assert.Equal(1, emulated.Calls.Count(call => call == "cuGraphInstantiate"));
        Assert.Equal(40, emulated.Calls.Count(call => call == "cuGraphLaunch"));
    }

    [Fact]
    public void Forward_DecodeRecordedOrNot_SameBits()
    {
        int[] ids = [5, 3, 8, 1, 4, 4, 9];

        float[] recorded = Decode(usesGraphs: true);

        TensorAssert.Identical(Decode(usesGraphs: false), recorded, "logits");

        float[] Decode(bool usesGraphs)
        {
            using EmulatedModel emulated = new("plain", usesGraphs);
            using SequenceState sequence = emulated.Model.CreateSequence();
            return emulated.Model.Decode(sequence, ids);
        }
    }

    [Fact]
    public void Forward_GrowingAndShrinkingBatches_SameLogitsAsEachAlone()
    {
        using GoldenExpectation expected = new("no-shared");
        using EmulatedModel emulated = new("no-shared");
        KimiLinearModel model = emulated.Model;
        int[][] inputs = [.. Enumerable.Range(0, 5).Select(i => Enumerable.Range(7 * i, 70).Select(
            t => expected.InputIds[t % expected.InputIds.Length]).ToArray())];
        int[] prompts = [1, 63, 2, 64, 30];
        int width = model.Config.VocabularySize;
        float[][] alone = [.. inputs.Select(model.EveryLogits)];
        SequenceState[] sequences = [.. inputs.Select(_ => model.CreateSequence())];
        for (int i = 0; i < sequences.Length; i++)
        {
            model.Forward(sequences[i], inputs[i].AsSpan(0, prompts[i]), []);
        }

        foreach (int count in (int[])[1, 3, 5, 2, 4])
        {
            BatchEntry[] entries = [.. sequences.Take(count).Select(
                (sequence, i) => new BatchEntry(sequence, inputs[i].AsMemory(sequence.Length, 1), LogitsRequest.LastToken))];
            float[] logits = new float[count * width];

            model.Forward(entries, logits);

            for (int i = 0; i < count; i++)
            {
                TensorAssert.Close(
                    logits.AsSpan(i * width, width).ToArray(),
                    alone[i].AsSpan((sequences[i].Length - 1) * width, width).ToArray(),
                    CutTolerance,
                    $"batch of {count}, sequence {i} of {sequences[i].Length} tokens");
            }
        }

        Array.ForEach(sequences, sequence => sequence.Dispose());
    }

    [Theory]
    [InlineData("plain", 1)]
    [InlineData("plain", 7)]
    [InlineData("head128", 65)]
    public void Forward_PromptInPieces_SameLogitsAsWhole(string modelName, int pieceLength)
    {
        using GoldenExpectation expected = new(modelName);
        using EmulatedModel emulated = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(100, expected.InputIds.Length)];
        using SequenceState sequence = emulated.Model.CreateSequence();

        float[] pieces = emulated.Model.EveryLogits(sequence, ids, pieceLength);

        TensorAssert.Close(pieces, emulated.Model.EveryLogits(ids), SplitTolerance, $"pieces of {pieceLength}");
    }

    [Fact]
    public void Forward_PiecesOfAllOperators_SameLogitsAsShorterSteps()
    {
        // More tokens than the operators take at a time.
        using GoldenExpectation expected = new("no-shared");
        using EmulatedModel emulated = new("no-shared");
        KimiLinearModel model = emulated.Model;
        int[] ids = [.. Enumerable.Range(0, 530).Select(i => expected.InputIds[i % expected.InputIds.Length])];
        using SequenceState whole = model.CreateSequence();
        using SequenceState halves = model.CreateSequence();

        float[] logits = model.LastLogits(whole, ids);

        model.Forward(halves, ids.AsSpan(0, 265), []);
        TensorAssert.Close(model.LastLogits(halves, ids[265..]), logits, CutTolerance, "halves");
    }

    [Fact]
    public void SaveRestoreFork_OfASequence_ContinueAlike()
    {
        using EmulatedModel emulated = new("plain");
        KimiLinearModel model = emulated.Model;
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, Enumerable.Range(1, 70).ToArray(), []);
        using StateSnapshot snapshot = sequence.Save();
        using SequenceState fork = sequence.Fork();

        float[] expected = model.Decode(sequence, 5, 6);

        TensorAssert.Identical(model.Decode(fork, 5, 6), expected, "fork");
        using SequenceState restored = model.CreateSequence();
        restored.Restore(snapshot);
        TensorAssert.Identical(model.Decode(restored, 5, 6), expected, "restored");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_BFloat16LatentRows_WithinOneHundredthOfGolden(string modelName)
    {
        using GoldenExpectation expected = new(modelName);
        using EmulatedModel emulated = new(modelName, latents: LatentPrecision.BFloat16);

        double error = TensorAssert.RelativeRms(emulated.Model.EveryLogits(expected.InputIds), expected.Logits);

        Assert.InRange(error, 1e-5, 1e-2);
    }

    [Fact]
    public void Load_Float16Weights_SaysWhatTheKernelsTake()
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => new EmulatedModel("sharded-f16"));

        Assert.Contains("is stored as Float16, but the CUDA kernels multiply bfloat16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_IntegerLatentRows_SaysWhatAGpuTakes()
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(
            () => new EmulatedModel("plain", latents: LatentPrecision.Int16));

        Assert.Contains("on a GPU they are Float32 or BFloat16", error.Message, StringComparison.Ordinal);
    }
}
