using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>The saliencies of independent implementations, through every backend.</summary>
public sealed class GoldenStatisticsTests
{
    private const double Tolerance = 1e-5;

    // The plain loops add float32 numbers one after the other, and squares double the error of norms.
    private const double PlainTolerance = 4e-5;

    // What rounds within attention is not what an observation runs on.
    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string backend in Backend.Available.Except([Backend.Integers, Backend.AbsorbedIntegers]))
        {
            foreach (string model in Golden.ModelNames)
            {
                cases.Add(model, backend);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Record_WholePrompt_MatchesGolden(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);

        ExpertStatistics statistics = Record(modelName, backend, GateMode.Model, expected.InputIds);

        Assert.NotEmpty(statistics.Layers);
        foreach (LayerStatistics layer in statistics.Layers)
        {
            string name = $"reap.{layer.LayerIndex}";
            Assert.Equal(expected.Doubles($"{name}.token_count"), layer.TokenCounts.Select(count => (double)count));
            AssertClose(expected.Doubles($"{name}.saliency"), layer.Saliencies, $"{name}.saliency");
            AssertClose(expected.Doubles($"{name}.norm_sum"), layer.NormSums, $"{name}.norm_sum");
        }
    }

    /// <summary>The published program looks at other experts than the model visits.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Record_ExpertsThatWereNotVisited_MatchesPlainLoops(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(40, expected.InputIds.Length)];
        ExpertStatistics plain = Record(modelName, Backend.Reference, GateMode.RepoLiteral, ids);

        ExpertStatistics statistics = Record(modelName, backend, GateMode.RepoLiteral, ids);

        StatisticsAssert.Close(plain, statistics, PlainTolerance);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Record_AnyMode_LeavesTheLogitsAlone(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(40, expected.InputIds.Length)];
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        float[] unwatched = model.EveryLogits(ids);

        foreach (GateMode mode in (GateMode[])[GateMode.Model, GateMode.RepoLiteral])
        {
            using SequenceState sequence = model.CreateSequence();
            float[] logits = new float[unwatched.Length];
            model.Forward(
                [new BatchEntry(sequence, ids, LogitsRequest.EveryToken)], logits, new ExpertRecorder(model.Config, Empty(model, mode)));

            TensorAssert.Identical(logits, unwatched, $"logits, {mode}");
        }
    }

    private static ExpertStatistics Record(string modelName, string backend, GateMode mode, int[] ids)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState sequence = model.CreateSequence();
        ExpertStatistics statistics = Empty(model, mode);
        model.Forward([new BatchEntry(sequence, ids, LogitsRequest.None)], [], new ExpertRecorder(model.Config, statistics));
        return statistics;
    }

    private static ExpertStatistics Empty(KimiLinearModel model, GateMode mode) => new(
        ObservedModel.Of(model.Name, "", model.Config),
        mode,
        Enumerable.Range(0, model.Config.LayerCount).Where(layer => model.Config.SparseLayers[layer]));

    private static void AssertClose(double[] expected, IReadOnlyList<double> actual, string name)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]) / Math.Abs(expected[i]);
            Assert.True(expected[i] == actual[i] || error <= Tolerance, $"{name}[{i}] is {actual[i]:R}, not {expected[i]:R}: {error:E2}");
        }
    }
}
