using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
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

    /// <summary>The oracle computes every output anew in float64, of what the plain loops hand to the experts.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Record_OutputSums_MatchPlainLoops(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(40, expected.InputIds.Length)];
        PlainOutputSums plain = PlainOutputSums.Of(modelName, ids);

        ExpertStatistics statistics = Record(modelName, backend, GateMode.Model, ids, sumsOutputs: true);

        Assert.True(statistics.HasOutputSums);
        foreach (LayerStatistics layer in statistics.Layers)
        {
            for (int expert = 0; expert < layer.ExpertCount; expert++)
            {
                double[] sum = plain.Sum(layer.LayerIndex, expert);
                double[] actual = layer.GetOutputSum(expert).ToArray();
                double error = Math.Sqrt(sum.Zip(actual, (one, other) => (one - other) * (one - other)).Sum());
                Assert.Equal(sum.Length, actual.Length);
                Assert.True(
                    error <= PlainTolerance * layer.NormSums[expert],
                    $"layer {layer.LayerIndex}, expert {expert}: {error:E2} apart, with norms that sum to {layer.NormSums[expert]:E2}");
            }
        }

        double[] scores = ExpertScores.Of(statistics.Layers[0], PruningCriterion.EanCa, activeCount: 1, seed: 0);
        for (int expert = 0; expert < scores.Length; expert++)
        {
            long count = statistics.Layers[0].TokenCounts[expert];
            double norm = Math.Sqrt(plain.Sum(statistics.Layers[0].LayerIndex, expert).Sum(value => value * value));
            double scale = count == 0 ? 0 : statistics.Layers[0].NormSums[expert] / count;
            Assert.InRange(Math.Abs(scores[expert] - (count == 0 ? 0 : norm / count)), 0, PlainTolerance * scale);
        }
    }

    /// <summary>The published program looks at other experts than the model visits.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Record_ExpertsThatWereNotVisited_MatchesPlainLoops(string modelName, string backend)
    {
        using GoldenExpectation expected = new(modelName);
        int[] ids = expected.InputIds[..Math.Min(40, expected.InputIds.Length)];
        ExpertStatistics plain = Record(modelName, Backend.Reference, GateMode.RepoLiteral, ids, sumsOutputs: true);

        ExpertStatistics statistics = Record(modelName, backend, GateMode.RepoLiteral, ids, sumsOutputs: true);

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
                [new BatchEntry(sequence, ids, LogitsRequest.EveryToken)], logits, new ExpertRecorder(model.Config, Empty(model, mode, sumsOutputs: true)));

            TensorAssert.Identical(logits, unwatched, $"logits, {mode}");
        }
    }

    private static ExpertStatistics Record(string modelName, string backend, GateMode mode, int[] ids, bool sumsOutputs = false)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState sequence = model.CreateSequence();
        ExpertStatistics statistics = Empty(model, mode, sumsOutputs);
        model.Forward([new BatchEntry(sequence, ids, LogitsRequest.None)], [], new ExpertRecorder(model.Config, statistics));
        return statistics;
    }

    private static ExpertStatistics Empty(KimiLinearModel model, GateMode mode, bool sumsOutputs) => new(
        ObservedModel.Of(model.Name, "", model.Config),
        mode,
        Enumerable.Range(0, model.Config.LayerCount).Where(layer => model.Config.SparseLayers[layer]),
        sumsOutputs ? model.Config.HiddenDim : 0);

    private static void AssertClose(double[] expected, IReadOnlyList<double> actual, string name)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]) / Math.Abs(expected[i]);
            Assert.True(expected[i] == actual[i] || error <= Tolerance, $"{name}[{i}] is {actual[i]:R}, not {expected[i]:R}: {error:E2}");
        }
    }

    private sealed class PlainOutputSums(Checkpoint checkpoint, KimiLinearConfig config) : IExpertInputObserver
    {
        private readonly Dictionary<(int Layer, int Expert), double[]> _sums = [];
        private int[] _chosen = [];

        public static PlainOutputSums Of(string modelName, int[] ids)
        {
            using KimiLinearModel model = Backend.Load(Golden.Model(modelName), Backend.Reference);
            using SequenceState sequence = model.CreateSequence();
            PlainOutputSums sums = new(model.Checkpoint, model.Config);
            model.Forward([new BatchEntry(sequence, ids, LogitsRequest.None)], [], sums);
            return sums;
        }

        public double[] Sum(int layer, int expert) => _sums.GetValueOrDefault((layer, expert)) ?? new double[config.HiddenDim];

        public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights) => _chosen = experts.ToArray();

        public void OnInput(int layerIndex, ReadOnlySpan<float> normed, ReadOnlySpan<float> logits)
        {
            for (int i = 0; i < _chosen.Length; i++)
            {
                int token = i / config.ActiveExpertCount;
                double[] output = ExpertMatrices.Read(checkpoint, layerIndex, _chosen[i])
                    .Output(normed.Slice(token * config.HiddenDim, config.HiddenDim));
                double[] sum = Sum(layerIndex, _chosen[i]);
                _sums[(layerIndex, _chosen[i])] = [.. sum.Zip(output, (one, other) => one + other)];
            }
        }
    }
}
