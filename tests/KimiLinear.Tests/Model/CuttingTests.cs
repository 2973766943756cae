using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A prompt gives the same results whole, in pieces, and token by token.</summary>
public sealed class CuttingTests
{
    private const double GoldenTolerance = 2e-4;
    private const double CutTolerance = 2e-5;

    // Token by token, a few at a time, a whole page, and one more than that.
    private static readonly int[] PieceLengths = [1, 7, 64, 65];

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_PromptInPieces_SameLogitsAndExpertsAsWhole(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int[] ids = ModelCases.Input(expected, backend);
        float[] golden = expected.Logits[..(ids.Length * model.Config.VocabularySize)];

        float[] whole = model.EveryLogits(ids);

        TensorAssert.Close(whole, golden, GoldenTolerance, "whole");
        foreach (int pieceLength in PieceLengths)
        {
            using SequenceState sequence = model.CreateSequence();
            RecordingObserver observer = new();

            float[] logits = model.EveryLogits(sequence, ids, pieceLength, observer);

            TensorAssert.Close(logits, golden, GoldenTolerance, $"pieces of {pieceLength} against golden");
            TensorAssert.Close(logits, whole, Backend.Tolerance(backend, CutTolerance), $"pieces of {pieceLength} against whole");
            AssertSameExperts(expected, observer, model, ids.Length, pieceLength);
        }
    }

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_GreedyAfterPromptInPieces_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int width = model.Config.VocabularySize;
        foreach (int pieceLength in (int[])[1, 7, 23])
        {
            using SequenceState sequence = model.CreateSequence();

            float[] logits = model.EveryLogits(sequence, expected.GreedyFrom24[..24], pieceLength);
            int[] continuation = model.ContinueGreedily(sequence, logits.AsSpan(^width..), 40);

            Assert.True(
                expected.GreedyFrom24.AsSpan(24..).SequenceEqual(continuation),
                $"pieces of {pieceLength}: {string.Join(' ', continuation)}");
        }
    }

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_GreedyAfterLongPromptInPieces_SameTokensAsAfterWhole(string modelName, string backend)
    {
        const int Count = 8;
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int[] ids = ModelCases.Input(expected, backend);
        using SequenceState whole = model.CreateSequence();

        int[] wholeContinuation = model.ContinueGreedily(whole, model.LastLogits(whole, ids), Count);

        foreach (int pieceLength in PieceLengths)
        {
            using SequenceState sequence = model.CreateSequence();
            float[] logits = [];
            foreach (int[] piece in ids.Chunk(pieceLength))
            {
                logits = model.LastLogits(sequence, piece);
            }

            int[] continuation = model.ContinueGreedily(sequence, logits, Count);

            Assert.Equal(ids.Length + Count, sequence.Length);
            Assert.True(
                wholeContinuation.AsSpan().SequenceEqual(continuation),
                $"pieces of {pieceLength}: {string.Join(' ', continuation)} instead of {string.Join(' ', wholeContinuation)}");
        }
    }

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_EarlierPiecesWithoutLogits_SameLastLogits(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState asked = model.CreateSequence();
        using SequenceState silent = model.CreateSequence();
        int[] ids = ModelCases.Input(expected, backend);

        float[] expectedLogits = [];
        foreach (int[] piece in ids.Chunk(17))
        {
            expectedLogits = model.LastLogits(asked, piece);
        }

        int[][] pieces = [.. ids.Chunk(17)];
        foreach (int[] piece in pieces[..^1])
        {
            model.Forward(silent, piece, []);
        }

        TensorAssert.Identical(model.LastLogits(silent, pieces[^1]), expectedLogits, "logits");
    }

    private static void AssertSameExperts(
        GoldenExpectation expected, RecordingObserver observer, KimiLinearModel model, int tokenCount, int pieceLength)
    {
        for (int layer = 0; layer < model.Config.LayerCount; layer++)
        {
            if (!model.Config.SparseLayers[layer])
            {
                continue;
            }

            int[] experts = expected.Integers($"router.{layer}.experts")[..(tokenCount * model.Config.ActiveExpertCount)];
            Assert.True(
                experts.AsSpan().SequenceEqual([.. observer.Experts[layer]]),
                $"pieces of {pieceLength}: experts of layer {layer}");
        }
    }
}
