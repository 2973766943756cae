using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>Models with packed weights against plain loops, and against themselves in other company and other pieces.</summary>
public sealed class PackedModelTests
{
    public static TheoryData<string, WeightFormat> Cases => PackedModels.Cases;

    public static TheoryData<string, WeightFormat, ActivationPrecision> PrecisionCases =>
        new MatrixTheoryData<string, WeightFormat, ActivationPrecision>(
            PackedModels.Names, PackedModels.Formats, [ActivationPrecision.Int8, ActivationPrecision.Int16]);

    public static TheoryData<string, WeightFormat, string> WidthCases => new MatrixTheoryData<string, WeightFormat, string>(
        PackedModels.Names,
        PackedModels.Formats,
        Backend.Available.Where(backend => Enum.TryParse<SimdWidth>(backend, out _)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AnyThreadCount_GivesTheSameBits(string name, WeightFormat format)
    {
        float[] expected = RunAll(name, format, threadCount: 1);

        foreach (int threadCount in (int[])[2, 3, 4, 5, 6, 7, 8])
        {
            TensorAssert.Identical(RunAll(name, format, threadCount), expected, $"{threadCount} threads");
        }
    }

    // Every other sequence is a prompt; what a reply wrote is read beside them, token by token and in pieces.
    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AnyCompany_GivesTheSameBitsAsEachAlone(string name, WeightFormat format)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, attention: AttentionForm.Absorbed);
        int[][] inputs = [.. ((int[])[1, 9, 24, 31, 47, 64, 90]).Select((length, i) => PackedModels.Ids(length, seed: i))];
        float[][] alone = [.. inputs.Select((ids, i) => InPieces(model, ids, [ids.Length], isPrompt: IsPrompt(i)))];
        SequenceState[] sequences = [.. inputs.Select(_ => model.CreateSequence())];
        float[][] together = [.. inputs.Select(_ => Array.Empty<float>())];
        Random random = new(2);
        int width = model.Config.VocabularySize;

        while (sequences.Zip(inputs).Any(pair => pair.First.Length < pair.Second.Length))
        {
            int[] order = [.. Enumerable.Range(0, inputs.Length).Where(i => sequences[i].Length < inputs[i].Length).OrderBy(IsPrompt)];
            BatchEntry[] entries = [.. order.Select(i => new BatchEntry(
                sequences[i],
                inputs[i].AsMemory(sequences[i].Length, Math.Min(random.Next(1, 24), inputs[i].Length - sequences[i].Length)),
                LogitsRequest.EveryToken,
                IsPrompt(i)))];
            float[] logits = new float[entries.Sum(entry => entry.TokenIds.Length) * width];
            model.Forward(entries, logits);
            int row = 0;
            foreach ((int index, BatchEntry entry) in order.Zip(entries))
            {
                together[index] = [.. together[index], .. logits.AsSpan(row * width, entry.TokenIds.Length * width)];
                row += entry.TokenIds.Length;
            }
        }

        for (int i = 0; i < inputs.Length; i++)
        {
            TensorAssert.Identical(together[i], alone[i], $"{inputs[i].Length} tokens");
        }

        Assert.All(sequences, sequence => sequence.Dispose());

        static bool IsPrompt(int index) => index % 2 == 1;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ReadPrompt_AnyPieces_GivesTheSameBits(string name, WeightFormat format)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, attention: AttentionForm.Absorbed);
        int[] ids = PackedModels.Ids(100);
        float[] whole = LastLogits([100]);

        foreach (int[] pieces in (int[][])[[1], [31], [32], [33, 64, 3], [7, 31, 32]])
        {
            TensorAssert.Identical(LastLogits(pieces), whole, $"pieces of {string.Join(", ", pieces)}");
        }

        float[] LastLogits(int[] pieces)
        {
            using SequenceState sequence = model.CreateSequence();
            float[] logits = new float[model.Config.VocabularySize];
            for (int piece = 0; sequence.Length < ids.Length; piece++)
            {
                int length = Math.Min(pieces[Math.Min(piece, pieces.Length - 1)], ids.Length - sequence.Length);
                model.ReadPrompt(sequence, ids.AsSpan(sequence.Length, length), logits);
            }

            return logits;
        }
    }

    [Fact]
    public void Forward_ReplyBehindAPrompt_IsRefused()
    {
        using KimiLinearModel model = PackedModels.Load(PackedModels.Odd, WeightFormat.Q4);
        using SequenceState prompt = model.CreateSequence();
        using SequenceState reply = model.CreateSequence();
        int[] ids = [1];

        ArgumentException error = Assert.Throws<ArgumentException>(() => model.Forward(
            [
                new BatchEntry(prompt, ids, LogitsRequest.None, IsPrompt: true),
                new BatchEntry(reply, ids, LogitsRequest.None),
            ],
            []));

        Assert.Contains("Prompts come last", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(PrecisionCases))]
    public void Forward_OnePrecision_AnyPiecesGiveTheSameBits(string name, WeightFormat format, ActivationPrecision activations)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, activations, attention: AttentionForm.Absorbed);
        int[] ids = PackedModels.Ids(150);
        float[] whole = model.EveryLogits(ids);

        foreach (int[] pieces in (int[][])[[32], [33, 64], [100, 50], [1], [7, 31, 32]])
        {
            TensorAssert.Identical(InPieces(model, ids, pieces), whole, $"pieces of {string.Join(", ", pieces)}");
        }
    }

    // How attention is computed follows the lengths of pieces, and another last bit can move an activation to the next code. Where
    // two experts are as good as equal to the router, that decides between them, and what follows is another text: rows are
    // compared up to there.
    [Theory]
    [MemberData(nameof(PrecisionCases))]
    public void Forward_OnePrecisionAndAnyAttention_PiecesChangeNoMoreThanThePrecisionDoes(
        string name, WeightFormat format, ActivationPrecision activations)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, activations);
        using KimiLinearModel floats = PackedModels.Load(name, format, ActivationPrecision.Float32);
        int[] ids = PackedModels.Ids(150);
        int width = model.Config.VocabularySize;
        RecordingObserver wholeExperts = new();
        using SequenceState sequence = model.CreateSequence();
        float[] whole = model.EveryLogits(sequence, ids, ids.Length, wholeExperts);
        double precisionError = TensorAssert.RelativeRms(whole, floats.EveryLogits(ids));

        foreach (int[] pieces in (int[][])[[32], [33, 64], [100, 50]])
        {
            RecordingObserver experts = new();

            float[] logits = InPieces(model, ids, pieces, experts);

            if (TensorAssert.RelativeRms(logits, whole) <= precisionError)
            {
                continue;
            }

            int same = TokensWithTheSameExperts(experts, wholeExperts, model.Config.ActiveExpertCount);
            Assert.InRange(same, pieces[0] + 32, ids.Length);
            Assert.InRange(ShareOfSameExperts(experts, wholeExperts, model.Config.ActiveExpertCount), 0.99, 1);
            TensorAssert.Close(
                logits.AsSpan(0, same * width),
                whole.AsSpan(0, same * width),
                precisionError,
                $"{same} tokens in pieces of {string.Join(", ", pieces)}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_AutomaticPrecision_IsOneForPromptsAndOneForReplies(string name, WeightFormat format)
    {
        using KimiLinearModel automatic = PackedModels.Load(name, format);
        using KimiLinearModel fifteen = PackedModels.Load(name, format, ActivationPrecision.Int16);
        // Only weights of 4 bits are faster with 8, and where both are read, each has its own precision.
        using KimiLinearModel? eight = format switch
        {
            WeightFormat.Q4 => PackedModels.Load(name, format, ActivationPrecision.Int8),
            WeightFormat.Q8 => PackedModels.Load(name, format, ActivationPrecision.Int16),
            _ => null,
        };

        foreach (int length in (int[])[1, 31, 32, 70])
        {
            int[] ids = PackedModels.Ids(length);
            TensorAssert.Identical(Hidden(automatic, ids, isPrompt: false), Hidden(fifteen, ids, isPrompt: false), $"a reply's {length}");
            if (eight is not null)
            {
                TensorAssert.Identical(Hidden(automatic, ids, isPrompt: true), Hidden(eight, ids, isPrompt: true), $"a prompt's {length}");
            }
        }

        static float[] Hidden(KimiLinearModel model, int[] ids, bool isPrompt)
        {
            RecordingObserver observer = new();
            using SequenceState sequence = model.CreateSequence();
            model.EveryLogits(sequence, ids, ids.Length, observer, isPrompt);
            return [.. Enumerable.Range(0, model.Config.LayerCount + 1).SelectMany(layer => observer.Hidden[layer])];
        }
    }

    // A caller of one sequence does not say what its tokens are: many are a prompt.
    [Fact]
    public void Forward_OneSequence_CountsItsOwnTokens()
    {
        using KimiLinearModel model = PackedModels.Load(PackedModels.Odd, WeightFormat.Q4);
        int[] ids = PackedModels.Ids(32);

        foreach (int length in (int[])[31, 32])
        {
            float[] expected = new float[model.Config.VocabularySize];
            float[] actual = new float[model.Config.VocabularySize];
            using SequenceState first = model.CreateSequence();
            using SequenceState second = model.CreateSequence();
            if (length < 32)
            {
                model.ReadReply(first, ids.AsSpan(0, length), expected);
            }
            else
            {
                model.ReadPrompt(first, ids.AsSpan(0, length), expected);
            }

            model.Forward(second, ids.AsSpan(0, length), actual);

            TensorAssert.Identical(actual, expected, $"{length} tokens");
        }
    }

    [Theory]
    [MemberData(nameof(WidthCases))]
    public void Forward_AnyPrecision_IsNearThePlainLoops(string name, WeightFormat format, string width)
    {
        int[] ids = PackedModels.Ids(70);
        using KimiLinearModel reference = PackedModels.Load(name, format, config => new ReferenceBackend(config));
        RecordingObserver expected = new();
        using SequenceState referenceSequence = reference.CreateSequence();
        float[] plain = reference.EveryLogits(referenceSequence, ids, ids.Length, expected);

        foreach ((ActivationPrecision activations, double tolerance, double share) in Tolerances(name))
        {
            using KimiLinearModel model = PackedModels.Load(name, format, activations, width: Enum.Parse<SimdWidth>(width));
            using SequenceState sequence = model.CreateSequence();
            RecordingObserver observer = new();

            float[] logits = model.EveryLogits(sequence, ids, ids.Length, observer);

            TensorAssert.Close(logits, plain, tolerance, $"{activations}");
            Assert.InRange(ShareOfSameExperts(observer, expected, model.Config.ActiveExpertCount), share, 1);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_WithAnObserver_ReportsEveryTokensExpertsAndChangesNothing(string name, WeightFormat format)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, attention: AttentionForm.Absorbed);
        int[] ids = PackedModels.Ids(40);
        RecordingObserver whole = new();
        RecordingObserver pieces = new();
        using SequenceState first = model.CreateSequence();
        using SequenceState second = model.CreateSequence();

        float[] observed = model.EveryLogits(first, ids, ids.Length, whole);
        model.EveryLogits(second, ids, 4, pieces);

        TensorAssert.Identical(model.EveryLogits(ids), observed, "without an observer");
        int[] sparse = [.. Enumerable.Range(0, model.Config.LayerCount).Where(layer => model.Config.SparseLayers[layer])];
        Assert.Equal(sparse, whole.Experts.Keys.Order());
        foreach (int layer in sparse)
        {
            Assert.Equal(ids.Length * model.Config.ActiveExpertCount, whole.Experts[layer].Count);
            Assert.All(whole.Experts[layer], expert => Assert.InRange(expert, 0, model.Config.ExpertCount - 1));
            Assert.Equal(whole.Experts[layer], pieces.Experts[layer]);
            TensorAssert.Identical([.. pieces.Weights[layer]], [.. whole.Weights[layer]], $"weights of layer {layer}");
            Assert.All(
                whole.Weights[layer].Chunk(model.Config.ActiveExpertCount),
                weights => Assert.InRange(weights.Sum(), 2.4459f, 2.4461f));
        }
    }

    // Of logits, and how many of the experts must be the same. Measured at most 2.2e-6, 1.9e-4, and with eight bits 2.5e-2, or
    // 0.11 with the trained router, which chooses some percent of the experts otherwise.
    private static (ActivationPrecision Activations, double Tolerance, double Share)[] Tolerances(string name) =>
    [
        (ActivationPrecision.Float32, 1e-5, 1),
        (ActivationPrecision.Int16, 4e-4, 1),
        (ActivationPrecision.Int8, name == PackedModels.Trained ? 0.15 : 0.04, 0.95),
    ];

    private static double ShareOfSameExperts(RecordingObserver actual, RecordingObserver expected, int activeCount)
    {
        int same = 0;
        int all = 0;
        foreach (int layer in expected.Experts.Keys)
        {
            same += expected.Experts[layer].Chunk(activeCount).Zip(actual.Experts[layer].Chunk(activeCount))
                .Sum(chosen => chosen.First.Intersect(chosen.Second).Count());
            all += expected.Experts[layer].Count;
        }

        return (double)same / all;
    }

    // How many tokens from the first on visit the same experts in every layer.
    private static int TokensWithTheSameExperts(RecordingObserver actual, RecordingObserver expected, int activeCount) =>
        expected.Experts.Keys.Min(layer =>
        {
            IEnumerable<bool> same = expected.Experts[layer].Chunk(activeCount)
                .Zip(actual.Experts[layer].Chunk(activeCount), (one, other) => one.SequenceEqual(other));
            return same.TakeWhile(isSame => isSame).Count();
        });

    private static float[] RunAll(string name, WeightFormat format, int threadCount)
    {
        using KimiLinearModel model = PackedModels.Load(name, format, threadCount: threadCount);
        using SequenceState first = model.CreateSequence();
        using SequenceState second = model.CreateSequence();
        int[] ids = PackedModels.Ids(70);
        float[] batchLogits = new float[(2 + 9) * model.Config.VocabularySize];

        float[] prefill = model.EveryLogits(first, ids, ids.Length, isPrompt: true);
        using SequenceState third = first.Fork();
        int[] greedy = model.ContinueGreedily(first, prefill.AsSpan(^model.Config.VocabularySize..), 12);
        model.Forward(
            [
                new BatchEntry(first, ids.AsMemory(4, 1), LogitsRequest.LastToken),
                new BatchEntry(third, ids.AsMemory(11, 1), LogitsRequest.LastToken),
                new BatchEntry(second, ids.AsMemory(0, 9), LogitsRequest.EveryToken, IsPrompt: true),
            ],
            batchLogits);

        return [.. prefill, .. greedy.Select(id => (float)id), .. batchLogits];
    }

    // Piece lengths follow each other, the last one again and again.
    private static float[] InPieces(
        KimiLinearModel model, int[] ids, int[] pieceLengths, RecordingObserver? observer = null, bool isPrompt = false)
    {
        using SequenceState sequence = model.CreateSequence();
        List<float> logits = [];
        for (int piece = 0; sequence.Length < ids.Length; piece++)
        {
            int length = pieceLengths[Math.Min(piece, pieceLengths.Length - 1)];
            int end = Math.Min(sequence.Length + length, ids.Length);
            logits.AddRange(model.EveryLogits(sequence, ids[sequence.Length..end], length, observer, isPrompt));
        }

        return [.. logits];
    }
}
