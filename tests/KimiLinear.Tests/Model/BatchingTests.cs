using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A sequence gives the same results alone and in any company.</summary>
public sealed class BatchingTests
{
    private const double Tolerance = 2e-5;

    // One token, around the convolution's width, around one page and two, and beyond.
    private static readonly int[] Lengths = [1, 2, 3, 17, 63, 64, 65, 127, 150];

    private static readonly int[] ReferenceLengths = [1, 2, 3, 17, 31, 65];

    private static readonly int[] PieceLengths = [1, 1, 1, 2, 5, 17, 64, 150];

    [Theory]
    [MemberData(nameof(ModelCases.All), MemberType = typeof(ModelCases))]
    public void Forward_RaggedBatchesOverManySteps_SameLogitsAsEachAlone(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        int[] lengths = backend == Backend.Reference ? ReferenceLengths : Lengths;
        int[][] inputs = [.. lengths.Select((length, i) => ModelCases.Repeat(expected.InputIds, 5 * i, length))];
        float[][] alone = [.. inputs.Select(model.EveryLogits)];
        SequenceState[] sequences = [.. inputs.Select(_ => model.CreateSequence())];
        Random random = new(1);

        int mixedSteps = 0;
        for (int step = 0; sequences.Zip(inputs).Any(pair => pair.First.Length < pair.Second.Length); step++)
        {
            BatchEntry[] entries = [.. ChooseEntries(sequences, inputs, random)];
            int[] starts = [.. entries.Select(entry => entry.Sequence.Length)];
            bool isMixed = entries.Any(entry => entry.TokenIds.Length == 1) && entries.Any(entry => entry.TokenIds.Length > 1);
            mixedSteps += isMixed ? 1 : 0;

            float[] logits = new float[entries.Sum(RowCount) * model.Config.VocabularySize];
            model.Forward(entries, logits);

            double tolerance = Backend.Tolerance(backend, Tolerance);
            AssertRows(logits, entries, starts, alone, sequences, model.Config.VocabularySize, tolerance, $"step {step}");
        }

        Assert.True(mixedSteps > 1, "Prefill and decode should have met in one step.");
        Assert.All(sequences, sequence => sequence.Dispose());
        Assert.Equal(0, model.SequenceCount);
    }

    [Theory]
    [MemberData(nameof(ModelCases.Hosted), MemberType = typeof(ModelCases))]
    public void Forward_SingleTokenSteps_BitIdenticalAloneAndTogether(string modelName, string backend) =>
        AssertDecodeIsIdentical(modelName, backend, companyLength: 0);

    [Theory]
    [MemberData(nameof(ModelCases.Hosted), MemberType = typeof(ModelCases))]
    public void Forward_SingleTokenStepsBesidePrefill_BitIdenticalToAlone(string modelName, string backend) =>
        AssertDecodeIsIdentical(modelName, backend, companyLength: 33);

    [Theory]
    [MemberData(nameof(ModelCases.Hosted), MemberType = typeof(ModelCases))]
    public void Forward_ManySequencesOfFewTokens_SameLogitsAsEachAlone(string modelName, string backend)
    {
        int[] pieces = [1, 1, 1, 2, 1, 1, 3, 1, 1, 1, 70, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1, 1];
        using GoldenExpectation expected = new(modelName);
        foreach (int threadCount in (int[])[1, 3])
        {
            using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend, threadCount);
            int[][] inputs = [.. pieces.Select((piece, i) => ModelCases.Repeat(expected.InputIds, 3 * i, piece + 1 + (i % 5)))];
            SequenceState[] together = [.. inputs.Select((ids, i) => Prefill(model, ids[..(1 + (i % 5))]))];
            SequenceState[] singly = [.. inputs.Select((ids, i) => Prefill(model, ids[..(1 + (i % 5))]))];

            int width = model.Config.VocabularySize;
            float[] logits = new float[pieces.Length * width];
            model.Forward(
                [.. inputs.Select((ids, i) => new BatchEntry(together[i], ids.AsMemory(1 + (i % 5)), LogitsRequest.LastToken))], logits);

            float[] alone = new float[width];
            for (int i = 0; i < pieces.Length; i++)
            {
                model.Forward([new BatchEntry(singly[i], inputs[i].AsMemory(1 + (i % 5)), LogitsRequest.LastToken)], alone);
                Span<float> actual = logits.AsSpan(i * width, width);
                if (pieces[i] == 1)
                {
                    TensorAssert.Identical(actual, alone, $"sequence {i} on {threadCount} threads");
                }
                else
                {
                    TensorAssert.Close(actual, alone, Backend.Tolerance(backend, Tolerance), $"sequence {i}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Forward_BatchOfNothing_ChangesNothing(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model("no-shared"), backend);
        using SequenceState sequence = model.CreateSequence();
        float[] before = model.EveryLogits([1, 2, 3]);

        model.Forward([], []);

        TensorAssert.Identical(model.EveryLogits(sequence, [1, 2, 3], 3), before, "logits");
    }

    // Prefills the same way twice, then decodes once alone and once in one batch.
    private static void AssertDecodeIsIdentical(string modelName, string backend, int companyLength)
    {
        const int Steps = 5;
        using GoldenExpectation expected = new(modelName);
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState company = model.CreateSequence();
        int[] prefixes = backend == Backend.Reference ? [1, 5, 62] : [1, 3, 17, 62, 64, 100];
        int[][] inputs = [.. prefixes.Select((length, i) => ModelCases.Repeat(expected.InputIds, 7 * i, length + Steps))];
        float[][] alone = [.. inputs.Select((ids, i) => DecodeAlone(model, ids, prefixes[i]))];
        SequenceState[] sequences = [.. inputs.Select((ids, i) => Prefill(model, ids[..prefixes[i]]))];

        int width = model.Config.VocabularySize;
        for (int step = 0; step < Steps; step++)
        {
            List<BatchEntry> entries = [];
            for (int i = 0; i < sequences.Length; i++)
            {
                entries.Add(new BatchEntry(sequences[i], inputs[i].AsMemory(prefixes[i] + step, 1), LogitsRequest.LastToken));
            }

            if (companyLength > 0)
            {
                int[] ids = ModelCases.Repeat(expected.InputIds, step, companyLength);
                entries.Insert(step % entries.Count, new BatchEntry(company, ids, LogitsRequest.None));
            }

            float[] logits = new float[sequences.Length * width];
            model.Forward(entries.ToArray(), logits);

            for (int i = 0; i < sequences.Length; i++)
            {
                TensorAssert.Identical(
                    logits.AsSpan(i * width, width),
                    alone[i].AsSpan(step * width, width),
                    $"step {step} after {prefixes[i]} tokens");
            }
        }
    }

    private static float[] DecodeAlone(KimiLinearModel model, int[] ids, int prefix)
    {
        using SequenceState sequence = Prefill(model, ids[..prefix]);
        return model.Decode(sequence, ids[prefix..]);
    }

    private static SequenceState Prefill(KimiLinearModel model, int[] ids)
    {
        SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, ids, []);
        return sequence;
    }

    private static IEnumerable<BatchEntry> ChooseEntries(SequenceState[] sequences, int[][] inputs, Random random)
    {
        int[] order = [.. Enumerable.Range(0, sequences.Length).Where(i => sequences[i].Length < inputs[i].Length)];
        random.Shuffle(order);
        foreach (int i in order[..random.Next(1, order.Length + 1)])
        {
            int start = sequences[i].Length;
            int count = Math.Min(PieceLengths[random.Next(PieceLengths.Length)], inputs[i].Length - start);
            yield return new BatchEntry(sequences[i], inputs[i].AsMemory(start, count), (LogitsRequest)random.Next(3));
        }
    }

    private static int RowCount(BatchEntry entry) => entry.Logits switch
    {
        LogitsRequest.None => 0,
        LogitsRequest.LastToken => 1,
        _ => entry.TokenIds.Length,
    };

    private static void AssertRows(
        float[] logits,
        BatchEntry[] entries,
        int[] starts,
        float[][] alone,
        SequenceState[] sequences,
        int width,
        double tolerance,
        string what)
    {
        int row = 0;
        for (int e = 0; e < entries.Length; e++)
        {
            int end = starts[e] + entries[e].TokenIds.Length;
            Assert.Equal(end, entries[e].Sequence.Length);
            int which = Array.IndexOf(sequences, entries[e].Sequence);
            for (int position = end - RowCount(entries[e]); position < end; position++, row++)
            {
                TensorAssert.Close(
                    logits.AsSpan(row * width, width),
                    alone[which].AsSpan(position * width, width),
                    tolerance,
                    $"{what}, sequence {which}, position {position}, {entries.Length} sequences");
            }
        }
    }
}
