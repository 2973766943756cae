using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Pruning;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>Hand-made vectors of the REAP report: what a router says, how large outputs are, and what that sums to.</summary>
public sealed class ExpertRecorderTests
{
    private const double Digits = 1e-6;

    private static readonly float[] NoBias = [0, 0, 0, 0];

    /// <summary>Three tokens of four experts, of which every mode prunes another pair.</summary>
    public static TheoryData<GateMode, long[], double[], double[], int[]> Modes() => new()
    {
        {
            GateMode.Model,
            [1, 2, 2, 1],
            [1.7815365, 3.4349458, 2.9019785, 0.2748865],
            [1.7815365, 1.7174729, 1.4509892, 0.2748865],
            [2, 3]
        },
        {
            GateMode.ModelScaled,
            [1, 2, 2, 1],
            [2.446 * 1.7815365, 2.446 * 3.4349458, 2.446 * 2.9019785, 2.446 * 0.2748865],
            [2.446 * 1.7815365, 2.446 * 1.7174729, 2.446 * 1.4509892, 2.446 * 0.2748865],
            [2, 3]
        },
        {
            GateMode.HfAlias,
            [1, 2, 2, 1],
            [1.5325548, 3.3241556, 3.4186042, 0.2748865],
            [1.5325548, 1.6620778, 1.7093021, 0.2748865],
            [0, 3]
        },
        {
            GateMode.RepoLiteral,
            [1, 3, 1, 1],
            [1.8673780, 3.5936747, 1.3124480, 0.3228282],
            [1.8673780, 1.1978916, 1.3124480, 0.3228282],
            [1, 3]
        },
    };

    [Theory]
    [MemberData(nameof(Modes))]
    public void Record_EveryMode_IsTheVector(
        GateMode mode, long[] counts, double[] gatedNormSums, double[] saliencies, int[] leastSalient)
    {
        float[] logits = [1.0f, 0.5f, 0.0f, -1.0f, 0.0f, 0.4f, -0.5f, 1.0f, -1.0f, 0.2f, 0.3f, 0.0f];
        double[][] norms = [[3, 2, 4, 5], [1, 6, 2, 0.5], [7, 1.5, 2.5, 3.5]];
        KimiLinearConfig config = Config(expertCount: 4, active: 2);

        LayerStatistics layer = Record(config, mode, logits, [0, 0, 0.2f, 0], norms);

        Assert.Equal(counts, layer.TokenCounts);
        StatisticsAssert.Close(gatedNormSums, layer.GatedNormSums, Digits, "gated norm sums");
        StatisticsAssert.Close(saliencies, layer.Saliencies, Digits, "saliencies");
        int[] order = [.. Enumerable.Range(0, 4).OrderBy(expert => layer.Saliencies[expert])];
        Assert.Equal(leastSalient, order[..2].Order());
    }

    /// <summary>The masked token of the original is not sent: there is no padding here.</summary>
    [Fact]
    public void Record_SoftmaxWithoutRenormalisation_IsTheVector()
    {
        KimiLinearConfig config = Config(expertCount: 2, active: 1) with { NormalizeRouterWeights = false };

        LayerStatistics layer = Record(config, GateMode.RepoLiteral, [2, 1, 4, 0], [0, 0], [[5, 2], [13, 17]], [[4, 2], [12, 15]]);

        Assert.Equal([2, 0], layer.TokenCounts);
        Assert.Equal(new long[,] { { 4, 2 }, { 2, 0 } }, layer.PairwiseFrequencies());
        StatisticsAssert.Close([18, 0], layer.NormSums, Digits, "norm sums");
        StatisticsAssert.Close([1.7130724, 0], layer.GateSums, Digits, "gate sums");
        StatisticsAssert.Close([16.4214722, 0], layer.GatedNormSums, Digits, "gated norm sums");
        StatisticsAssert.Close([8.2107361, 0], layer.Saliencies, Digits, "saliencies");
        StatisticsAssert.Close([13, 0], layer.MaxNorms, Digits, "largest norms");
        StatisticsAssert.Close([12, 0], layer.MaxActivations, Digits, "largest values");
    }

    [Theory]
    [InlineData(true, new[] { 8.2272971, 1.6136485, 18.2764645 })]
    [InlineData(false, new[] { 7.4865888, 1.4683708, 16.6310239 })]
    public void Record_SoftmaxOfTwo_IsTheVector(bool renormalises, double[] gatedNormSums)
    {
        KimiLinearConfig config = Config(expertCount: 3, active: 2) with { NormalizeRouterWeights = renormalises };

        LayerStatistics layer = Record(
            config,
            GateMode.RepoLiteral,
            [2, 1, 0, 1, 0, 2],
            [0, 0, 0],
            [[5, 6, 1], [17, 1, 25]],
            [[4, 6, 1], [15, 1, 24]]);

        Assert.Equal([2, 1, 1], layer.TokenCounts);
        Assert.Equal(new long[,] { { 4, 3, 3 }, { 3, 2, 2 }, { 3, 2, 2 } }, layer.PairwiseFrequencies());
        StatisticsAssert.Close([22, 6, 25], layer.NormSums, Digits, "norm sums");
        StatisticsAssert.Close(gatedNormSums, layer.GatedNormSums, Digits, "gated norm sums");
        StatisticsAssert.Close([15, 6, 24], layer.MaxActivations, Digits, "largest values");
    }

    [Fact]
    public void Record_GivenWeights_IsTheVectorOfTheOtherProgram()
    {
        LayerStatistics layer = new(layerIndex: 1, expertCount: 4);

        layer.Record(0, 0.6, 3, 1);
        layer.Record(1, 0.4, 2, 1);
        layer.Record(0, 0.5, 1, 1);
        layer.Record(2, 0.5, 4, 1);

        StatisticsAssert.Close([1.15, 0.8, 2, 0], layer.Saliencies, Digits, "saliencies");
        StatisticsAssert.Close([10, 4, 16, 0], layer.SquaredNormSums, Digits, "squared norm sums");
        StatisticsAssert.Close([3.49, 0.64, 4, 0], layer.SquaredGatedNormSums, Digits, "squared gated norm sums");
    }

    /// <summary>Tokens that visit one expert each: the sums follow from the counts, and no pair was ever visited together.</summary>
    [Fact]
    public void PairwiseFrequencies_OneExpertPerToken_IsTheVector()
    {
        LayerStatistics mostlyFirst = Visited(0, 1, 0);
        LayerStatistics mostlySecond = Visited(1, 0, 1);

        Assert.Equal(new long[,] { { 4, 3 }, { 3, 2 } }, mostlyFirst.PairwiseFrequencies());
        Assert.Equal(new long[,] { { 2, 3 }, { 3, 4 } }, mostlySecond.PairwiseFrequencies());
        mostlyFirst.Add(mostlySecond);
        Assert.Equal(new long[,] { { 6, 6 }, { 6, 6 } }, mostlyFirst.PairwiseFrequencies());

        static LayerStatistics Visited(params int[] experts)
        {
            LayerStatistics layer = new(layerIndex: 1, expertCount: 2);
            foreach (int expert in experts)
            {
                layer.Record(expert, gate: 1, norm: 1, maxActivation: 1);
            }

            return layer;
        }
    }

    /// <summary>The outputs of the vectors above: two tokens at the first expert; then two of two experts each.</summary>
    [Fact]
    public void AddOutput_OutputsOfTheVectors_SumsThemUp()
    {
        LayerStatistics one = new(layerIndex: 1, expertCount: 2, outputDim: 2);
        one.AddOutput(0, [3, 4]);
        one.AddOutput(0, [5, 12]);
        LayerStatistics two = new(layerIndex: 1, expertCount: 3, outputDim: 2);
        two.AddOutput(0, [3, 4]);
        two.AddOutput(1, [0, 6]);
        two.AddOutput(2, [7, 24]);
        two.AddOutput(0, [8, 15]);

        Assert.Equal([8, 16], one.GetOutputSum(0).ToArray());
        Assert.Equal([0, 0], one.GetOutputSum(1).ToArray());
        Assert.Equal([11, 19], two.GetOutputSum(0).ToArray());
        Assert.Equal([0, 6], two.GetOutputSum(1).ToArray());
        Assert.Equal([7, 24], two.GetOutputSum(2).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => two.GetOutputSum(3).Length);
        Assert.Contains("--output-sums", Assert.Throws<InvalidOperationException>(
            () => new LayerStatistics(layerIndex: 1, expertCount: 2).GetOutputSum(0).Length).Message);
    }

    /// <summary>Lengths around those of vectors: every value gets into its own sum, in float64.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(35)]
    public void AddOutput_AnyLength_AddsEveryValueInDoublePrecision(int length)
    {
        LayerStatistics layer = new(layerIndex: 1, expertCount: 3, length);
        float[] large = [.. Enumerable.Range(1, length).Select(i => 1e8f * i)];
        float[] small = [.. Enumerable.Range(1, length).Select(i => 0.5f * i)];

        layer.AddOutput(1, large);
        layer.AddOutput(1, small);

        Assert.Equal(Enumerable.Range(0, length).Select(i => (double)large[i] + small[i]), layer.GetOutputSum(1).ToArray());
        Assert.All(layer.GetOutputSum(0).ToArray(), value => Assert.Equal(0, value));
        Assert.All(layer.GetOutputSum(2).ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Record_TwoBatches_AreAdded()
    {
        LayerStatistics one = new(1, 1);
        LayerStatistics other = new(1, 1);
        one.Record(0, 0.6, 3, 2);
        other.Record(0, 0.4, 1, 7);

        one.Add(other);

        Assert.Equal([2], one.TokenCounts);
        StatisticsAssert.Close([1.1], one.Saliencies, Digits, "saliencies");
        StatisticsAssert.Close([7], one.MaxActivations, 0, "largest values");
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e200)]
    public void Record_NoFiniteNumber_IsRefused(double norm)
    {
        LayerStatistics layer = new(layerIndex: 3, expertCount: 2);

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(() => layer.Record(1, 0.5, norm, 1));

        Assert.StartsWith("Expert 1 of layer 3", exception.Message);
        Assert.Equal([0, 0], layer.TokenCounts);
    }

    [Fact]
    public void Record_BiasedScoresWithoutPositiveSum_AreRefused()
    {
        KimiLinearConfig config = Config(expertCount: 4, active: 2);

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(
            () => Record(config, GateMode.HfAlias, [0, 0, 0, 0], [-1, -1, -1, -1], [[1, 1, 1, 1]]));

        Assert.Contains("gate mode 'model'", exception.Message);
    }

    /// <summary>A single expert keeps its score, as in the model.</summary>
    [Fact]
    public void Record_OneActiveExpert_IsWeightedWithItsScore()
    {
        KimiLinearConfig config = Config(expertCount: 4, active: 1);

        LayerStatistics layer = Record(config, GateMode.Model, [0, 1, 0, 0], NoBias, [[1, 2, 1, 1]]);

        StatisticsAssert.Close([0, 2 / (1 + Math.Exp(-1)), 0, 0], layer.Saliencies, 1e-12, "saliencies");
    }

    // Runs the recorder as a backend would.
    private static LayerStatistics Record(
        KimiLinearConfig config, GateMode mode, float[] logits, float[] bias, double[][] norms, double[][]? maxima = null)
    {
        int tokens = norms.Length;
        int active = config.ActiveExpertCount;
        int[] experts = new int[tokens * active];
        float[] weights = new float[tokens * active];
        for (int t = 0; t < tokens; t++)
        {
            ExpertSelection.Select(
                config,
                logits.AsSpan(t * bias.Length, bias.Length),
                bias,
                experts.AsSpan(t * active, active),
                weights.AsSpan(t * active, active));
        }

        ExpertStatistics statistics = new(ObservedModel.Of("test", "", config), mode, [1]);
        ExpertRecorder recorder = new(config, statistics);
        recorder.OnRouted(1, experts, weights);
        int[] watched = recorder.OnScored(1, logits, bias, experts).ToArray();
        recorder.OnMeasured(
            1,
            [.. watched.Select((expert, visit) => norms[visit / active][expert])],
            [.. watched.Select((expert, visit) => (float)(maxima ?? norms)[visit / active][expert])]);
        return statistics.GetLayer(1);
    }

    private static KimiLinearConfig Config(int expertCount, int active) =>
        KimiLinearConfig.Load(Path.Combine(Golden.Model("plain"), "config.json")) with
        {
            ExpertCount = expertCount,
            ActiveExpertCount = active,
            ExpertGroupCount = 1,
            ActiveExpertGroupCount = 1,
            NormalizeRouterWeights = true,
            RoutedScalingFactor = 2.446f,
        };
}
