using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class GgufModelTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string name in GgufGolden.Names)
            {
                cases.Add(name, Backend.Reference);
                cases.Add(name, Backend.Default);
            }

            return cases;
        }
    }

    // What llama.cpp itself reaches on the same files (tests/golden/gguf/README.md); it rounds activations to 8 bits.
    public static TheoryData<string, double> RoundedErrors => new()
    {
        { "q8_0", 0.072 },
        { "q6_k", 0.108 },
        { "q5_k_m", 0.050 },
        { "q5_1", 0.035 },
        { "q5_0", 0.094 },
        { "q4_k_m", 0.063 },
        { "q4_1", 0.106 },
        { "q4_0", 0.128 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardEveryToken_EveryFormat_MatchesTheExactLogits(string name, string backend)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected(name);
        using KimiLinearModel model = Backend.Load(
            GgufGolden.File(name), backend, activations: ActivationPrecision.Float32);

        float[] logits = model.EveryLogits(ids);

        TensorAssert.Close(logits, expected, Tolerance, $"{name} on {backend}");
    }

    [Theory]
    [MemberData(nameof(RoundedErrors))]
    public void ForwardEveryToken_EightBitActivations_IsFarNearerToTheExactLogitsThanLlamaCpp(string name, double theirs)
    {
        double error = ErrorOf(name, ActivationPrecision.Int8);

        Assert.True(error <= theirs / 3, $"{name}: relative RMS error {error:F4} is above a third of {theirs:F4}.");
    }

    [Theory]
    [MemberData(nameof(RoundedErrors))]
    public void ForwardEveryToken_FifteenBitActivations_IsNearTheExactLogits(string name, double theirs)
    {
        double error = ErrorOf(name, ActivationPrecision.Int16);

        Assert.True(error <= Math.Min(theirs, 1e-3), $"{name}: relative RMS error {error:E2} is above 1E-3.");
    }

    // Nine tokens in a step are multiplied by other kernels than one.
    [Theory]
    [InlineData("q4_k_m", ActivationPrecision.Int8)]
    [InlineData("q4_k_m", ActivationPrecision.Int16)]
    [InlineData("q5_k_m", ActivationPrecision.Int16)]
    [InlineData("q6_k", ActivationPrecision.Int16)]
    [InlineData("q4_0", ActivationPrecision.Int8)]
    public void Forward_SingleTokenSteps_BitIdenticalAloneAndTogetherOnAnyThreads(string name, ActivationPrecision activations)
    {
        const int SequenceCount = 9;
        (int[] ids, _) = GgufGolden.Expected(name);
        using KimiLinearModel alone = Backend.Load(GgufGolden.File(name), Backend.Default, 1, activations);
        using KimiLinearModel together = Backend.Load(GgufGolden.File(name), Backend.Default, 3, activations);
        int width = alone.Config.VocabularySize;
        SequenceState[] sequences = [.. Enumerable.Range(0, SequenceCount).Select(_ => together.CreateSequence())];
        SequenceState[] single = [.. Enumerable.Range(0, SequenceCount).Select(_ => alone.CreateSequence())];
        for (int step = 0; step < 4; step++)
        {
            float[] logits = new float[SequenceCount * width];
            BatchEntry[] entries =
            [
                .. sequences.Select((sequence, i) => new BatchEntry(
                    sequence, ids.AsMemory((5 * i) + step, 1), LogitsRequest.EveryToken)),
            ];

            together.Forward(entries, logits);

            for (int i = 0; i < SequenceCount; i++)
            {
                TensorAssert.Identical(
                    logits.AsSpan(i * width, width),
                    alone.LastLogits(single[i], ids[(5 * i) + step]),
                    $"step {step} of sequence {i}");
            }
        }

        Array.ForEach([.. sequences, .. single], sequence => sequence.Dispose());
    }

    [Theory]
    [InlineData("q4_k_m")]
    [InlineData("q4_0")]
    [InlineData("q6_k")]
    public void Forward_AutomaticPrecision_RepliesBesideAPromptHaveTheSameBitsAsAlone(string name)
    {
        const int SequenceCount = 40;
        (int[] ids, _) = GgufGolden.Expected(name);
        using KimiLinearModel model = Backend.Load(GgufGolden.File(name), Backend.Default, 2);
        int width = model.Config.VocabularySize;
        SequenceState[] sequences = [.. Enumerable.Range(0, SequenceCount).Select(_ => model.CreateSequence())];
        using SequenceState prompt = model.CreateSequence();
        float[] logits = new float[SequenceCount * width];
        BatchEntry[] entries =
        [
            .. sequences.Select((sequence, i) => new BatchEntry(sequence, ids.AsMemory(i % ids.Length, 1), LogitsRequest.LastToken)),
            new BatchEntry(prompt, ids.AsMemory(0, 40), LogitsRequest.None, IsPrompt: true),
        ];

        model.Forward(entries, logits);

        for (int i = 0; i < SequenceCount; i++)
        {
            using SequenceState alone = model.CreateSequence();
            TensorAssert.Identical(logits.AsSpan(i * width, width), model.LastLogits(alone, ids[i % ids.Length]), $"sequence {i}");
        }

        using SequenceState lonely = model.CreateSequence();
        model.ReadPrompt(lonely, ids.AsSpan(0, 40), []);
        TensorAssert.Identical(model.LastLogits(prompt, 5), model.LastLogits(lonely, 5), "behind the prompt");
        Array.ForEach(sequences, sequence => sequence.Dispose());
    }

    private static double ErrorOf(string name, ActivationPrecision activations)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected(name);
        using KimiLinearModel model = Backend.Load(GgufGolden.File(name), Backend.Default, activations: activations);
        return TensorAssert.RelativeRms(model.EveryLogits(ids), expected);
    }

    [Fact]
    public void Load_TrainedModelAsGguf_IsTheModelOfTheFolder()
    {
        using TemporaryFolder folder = new();
        string path = TinyGguf.Write(folder.File("tiny.gguf"));
        using KimiLinearModel expected = KimiLinearModel.Load(TinyGguf.Folder);
        int[] ids = [.. Enumerable.Range(0, 100).Select(i => i * 37 % 1536)];

        using KimiLinearModel model = KimiLinearModel.Load(path);

        Assert.Equal("tiny", model.Name);
        Assert.Equal(new FileInfo(path).Length, model.WeightBytes);
        Assert.Equal(expected.Config.LayerKinds, model.Config.LayerKinds);
        Assert.Equal(expected.Config.EosTokenIds, model.Config.EosTokenIds);
        Assert.Equal((2, 4), (model.Config.DeltaHeadCount, model.Config.LatentHeadCount));
        TensorAssert.Close(model.EveryLogits(ids), expected.EveryLogits(ids), 1e-5, "logits");
    }

    [Fact]
    public void Load_FolderWithOneGgufModel_LoadsIt()
    {
        using TemporaryFolder folder = new();
        File.Copy(GgufGolden.File("q4_0"), folder.File("small.gguf"));

        using KimiLinearModel model = KimiLinearModel.Load(folder.Path);

        Assert.Equal("small", model.Name);
        Assert.Equal(KimiLinearModel.LoadConfig(folder.Path).LayerKinds, model.Config.LayerKinds);
    }

    [Theory]
    [InlineData(WeightPreload.Always)]
    [InlineData(WeightPreload.Never)]
    public void Load_GgufFile_ReportsProgressThatEndsAtOne(WeightPreload preload)
    {
        Reports reports = new();

        using KimiLinearModel model = KimiLinearModel.Load(
            GgufGolden.File("q6_k"), new ModelLoadOptions { Preload = preload }, reports);

        double[] fractions = [.. reports.Select(report => report.Fraction)];
        Assert.Equal(fractions.Order(), fractions);
        Assert.Equal(1, fractions[^1]);
    }

    // Converting rounds once more, and packed weights are multiplied with rounded activations.
    [Theory]
    [InlineData(WeightFormat.BFloat16, 0.02)]
    [InlineData(WeightFormat.Q8, 0.05)]
    public void Load_GgufFileConverted_StaysNearTheExactLogits(WeightFormat format, double tolerance)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected("q8_0");

        using KimiLinearModel model = KimiLinearModel.Load(
            GgufGolden.File("q8_0"), new ModelLoadOptions { Format = format });

        TensorAssert.Close(model.EveryLogits(ids), expected, tolerance, $"{format}");
    }

    [Fact]
    public void Inspect_GgufFile_CountsWhatTheFileHolds()
    {
        ModelSummary summary = ModelSummary.Inspect(GgufGolden.File("q4_k_m"));

        Assert.Equal("q4_k_m", summary.Name);
        Assert.Equal([GgufGolden.File("q4_k_m")], summary.WeightFiles);
        Assert.Equal(DataType.GgufQ4K, summary.StoredDataTypes[0].DataType);
        Assert.Contains(DataType.GgufQ50, summary.StoredDataTypes.Select(type => type.DataType));
        Assert.Equal(39, summary.StoredDataTypes.Sum(type => type.TensorCount));
        Assert.Equal(summary.ParameterCount, summary.StoredDataTypes.Sum(type => type.ValueCount));
    }

    [Fact]
    public void Dispose_GgufModel_ReleasesTheFile()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("x.gguf", File.ReadAllBytes(GgufGolden.File("q5_0")));

        KimiLinearModel.Load(path).Dispose();

        Assert.False(IsMapped(path));
    }

    // Only Linux tells; on Windows, deleting the folder would fail instead.
    private static bool IsMapped(string path) =>
        OperatingSystem.IsLinux() && File.ReadAllText("/proc/self/maps").Contains(path, StringComparison.Ordinal);
}
