using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class PlanBuilderTests
{
    // Per token the router's logits and the norm of each expert's output; the bias is that of the third expert.
    private static readonly float[] Bias = [0, 0, 0.2f, 0];

    private static readonly (float[] Logits, double[] Norms)[] Tokens =
    [
        ([1, 0.5f, 0, -1], [3, 2, 4, 5]),
        ([0, 0.4f, -0.5f, 1], [1, 6, 2, 0.5]),
        ([-1, 0.2f, 0.3f, 0], [7, 1.5, 2.5, 3.5]),
    ];

    /// <summary>Each definition of an expert's weight prunes another pair, so one test proves which one runs.</summary>
    [Theory]
    [InlineData(GateMode.Model, new[] { 1.7815365, 1.7174729, 1.4509892, 0.2748865 }, new[] { 0, 1 })]
    [InlineData(GateMode.HfAlias, new[] { 1.5325548, 1.6620778, 1.7093021, 0.2748865 }, new[] { 1, 2 })]
    [InlineData(GateMode.RepoLiteral, new[] { 1.8673780, 1.1978916, 1.3124480, 0.3228282 }, new[] { 0, 2 })]
    public void Create_ThreeTokens_ScoresAndKeepsByTheGateMode(GateMode mode, double[] scores, int[] kept)
    {
        KimiLinearConfig config = KimiLinearModel.LoadConfig(Golden.Model("plain")) with { ExpertCount = 4, ActiveExpertCount = 2 };
        ExpertStatistics statistics = new(ObservedModel.Of("vector", "", config), mode, [1]);
        ExpertRecorder recorder = new(config, statistics);
        foreach ((float[] logits, double[] norms) in Tokens)
        {
            int[] chosen = new int[2];
            ExpertSelection.Select(config, logits, Bias, chosen, new float[2]);
            double[] measured = [.. recorder.OnScored(1, logits, Bias, chosen).ToArray().Select(expert => norms[expert])];
            recorder.OnMeasured(1, measured, new float[2]);
        }

        PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { KeptExpertCount = 2 });

        AssertClose(scores, plan.Layers[0].Scores, 1e-6);
        Assert.Equal(kept, plan.Layers[0].KeptExperts);
        Assert.Equal(mode, plan.GateMode);
    }

    /// <summary>Two tokens of two experts whose weights are renormalised, as reap.md's case B.</summary>
    [Theory]
    [InlineData(PruningCriterion.Frequency, new double[] { 2, 1, 1 })]
    [InlineData(PruningCriterion.Probability, new[] { 1, 0.5, 0.5 })]
    [InlineData(PruningCriterion.EanSum, new double[] { 22, 6, 25 })]
    [InlineData(PruningCriterion.EanMean, new double[] { 11, 6, 25 })]
    [InlineData(PruningCriterion.GateSum, new[] { 1.0, 0.2689414, 0.7310586 })]
    [InlineData(PruningCriterion.WeightedEanSum, new[] { 8.2272971, 1.6136485, 18.2764645 })]
    [InlineData(PruningCriterion.Reap, new[] { 4.1136485, 1.6136485, 18.2764645 })]
    [InlineData(PruningCriterion.MaxActivation, new double[] { 15, 6, 24 })]
    [InlineData(PruningCriterion.MeanSquaredNorm, new[] { 157, 36, 625.0 })]
    [InlineData(PruningCriterion.ReapL2, new[] { 4.1391055, 1.6136485, 18.2764645 })]
    [InlineData(PruningCriterion.WeightedEanSumL2, new[] { 5.8535791, 1.6136485, 18.2764645 })]
    public void Create_EachCriterion_MatchesTheVector(PruningCriterion criterion, double[] expected)
    {
        ExpertStatistics statistics = Statistics(experts: 3, active: 2);
        LayerStatistics layer = statistics.GetLayer(1);
        layer.Record(0, 0.7310585786, norm: 5, maxActivation: 4);
        layer.Record(1, 0.2689414214, norm: 6, maxActivation: 6);
        layer.Record(2, 0.7310585786, norm: 25, maxActivation: 24);
        layer.Record(0, 0.2689414214, norm: 17, maxActivation: 15);

        PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { Criterion = criterion, KeptExpertCount = 2 });

        AssertClose(expected, plan.Layers[0].Scores, 1e-6);
        Assert.Equal(PruningCriterionName.Of(criterion), plan.Criterion);
    }

    /// <summary>The outputs of the same case: the mean of those of the first expert is (5.5, 9.5).</summary>
    [Fact]
    public void Create_MeanOutputs_MatchesTheVector()
    {
        ExpertStatistics statistics = new(new ObservedModel("m", "", 4, 2, 1, 1), GateMode.Model, [1], outputDim: 2);
        LayerStatistics layer = statistics.GetLayer(1);
        foreach ((int expert, float[] output) in new (int, float[])[] { (0, [3, 4]), (1, [0, 6]), (2, [7, 24]), (0, [8, 15]) })
        {
            layer.Record(expert, gate: 0.5, norm: 1, maxActivation: 1);
            layer.AddOutput(expert, output);
        }

        PruningPlan plan = PruningPlan.Create(
            statistics, new PruningOptions { Criterion = PruningCriterion.EanCa, KeptExpertCount = 2 });

        AssertClose([10.9772492, 6, 25, 0], plan.Layers[0].Scores, 1e-6);
        Assert.Equal([0, 2], plan.Layers[0].KeptExperts);
        Assert.Equal("ean-ca", plan.Criterion);
        Assert.Equal(PruningCriterion.EanCa, PruningCriterionName.Parse("ean-ca"));
    }

    /// <summary>Outputs that point apart cancel in their mean, however large they are: that is what tells it from the mean norm.</summary>
    [Fact]
    public void Create_OppositeOutputs_HaveNoMean()
    {
        ExpertStatistics statistics = new(new ObservedModel("m", "", 3, 1, 1, 1), GateMode.Model, [1], outputDim: 2);
        LayerStatistics layer = statistics.GetLayer(1);
        foreach ((int expert, float[] output) in new (int, float[])[] { (0, [3, 4]), (0, [-3, -4]), (1, [1, 0]), (2, [0, 2]) })
        {
            layer.Record(expert, gate: 1, norm: Math.Sqrt(output.Sum(value => value * value)), maxActivation: 1);
            layer.AddOutput(expert, output);
        }

        PruningPlan apart = PruningPlan.Create(
            statistics, new PruningOptions { Criterion = PruningCriterion.EanCa, KeptExpertCount = 2 });
        PruningPlan norms = PruningPlan.Create(
            statistics, new PruningOptions { Criterion = PruningCriterion.EanMean, KeptExpertCount = 2 });

        Assert.Equal([0, 1, 2], apart.Layers[0].Scores);
        Assert.Equal([1, 2], apart.Layers[0].KeptExperts);
        Assert.Equal([0, 2], norms.Layers[0].KeptExperts);
    }

    /// <summary>Masked tokens leave an expert without any: it scores 0 and goes first, as reap.md's case A.</summary>
    [Fact]
    public void Create_ExpertWithoutTokens_GoesFirst()
    {
        ExpertStatistics statistics = Statistics(experts: 2, active: 1);
        statistics.GetLayer(1).Record(0, 0.7310585786, norm: 5, maxActivation: 4);
        statistics.GetLayer(1).Record(0, 0.9820137900, norm: 13, maxActivation: 12);

        foreach ((PruningCriterion criterion, double score) in new[]
        {
            (PruningCriterion.Frequency, 2), (PruningCriterion.EanSum, 18), (PruningCriterion.EanMean, 9),
            (PruningCriterion.GateSum, 1.7130724), (PruningCriterion.WeightedEanSum, 16.4214722), (PruningCriterion.Reap, 8.2107361),
            (PruningCriterion.MaxActivation, 12),
        })
        {
            PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { Criterion = criterion, KeptExpertCount = 1 });
            AssertClose([score, 0], plan.Layers[0].Scores, 1e-7);
            Assert.Equal([0], plan.Layers[0].KeptExperts);
        }
    }

    [Theory]
    [InlineData(new[] { .1, .5, .8, .3, .7, .2, .9, .4 }, 1, 3, new[] { 1, 2, 4, 6, 7 })]
    [InlineData(new[] { .1, .9, .8, .7, .6, .2, .5, .4 }, 2, 2, new[] { 1, 2, 3, 4, 6, 7 })]
    public void Create_Scores_KeepsTheHighestOfEachGroup(double[] scores, int groups, int dropped, int[] kept)
    {
        ExpertStatistics statistics = Scored(scores, new ObservedModel("m", "", scores.Length, 2, groups, groups));

        PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { KeptExpertCount = scores.Length - dropped });

        Assert.Equal(kept, plan.Layers[0].KeptExperts);
    }

    // The share is exact: in binary, 0.3 of 10 would be 2.
    [Theory]
    [InlineData(256, "0.30", 180)]
    [InlineData(128, "0.20", 103)]
    [InlineData(160, "0.40", 96)]
    [InlineData(160, "0.26", 119)]
    [InlineData(10, "0.3", 7)]
    [InlineData(1000, "0.29", 710)]
    public void Create_Ratio_DropsSoManyRoundedDown(int experts, string ratio, int kept)
    {
        PruningPlan plan = PruningPlan.Create(Statistics(experts, 2), Ratio(ratio));

        Assert.Equal(kept, plan.KeptExpertCount);
    }

    // 16 experts in 4 groups: 4.8, rounded down to 4, is one of each; 6 would be one and a half, which goes to 2.
    [Theory]
    [InlineData("0.30", 12)]
    [InlineData("0.40", 8)]
    [InlineData("0.13", 16)]
    public void Create_RatioWithGroups_DropsTheSameNumberOfEach(string ratio, int kept)
    {
        ExpertStatistics statistics = Scored(new double[16], new ObservedModel("m", "", 16, 4, 4, 2));

        if (kept == 16)
        {
            Assert.Throws<ArgumentException>(() => PruningPlan.Create(statistics, Ratio(ratio)));
        }
        else
        {
            Assert.Equal(kept, PruningPlan.Create(statistics, Ratio(ratio)).KeptExpertCount);
        }
    }

    [Theory]
    [InlineData(256, 180, 8, 184)]
    [InlineData(256, 180, 5, 180)]
    [InlineData(256, 249, 128, 256)]
    public void Create_MultipleOf_KeepsMore(int experts, int asked, int multiple, int kept)
    {
        PruningOptions options = new() { KeptExpertCount = asked, MultipleOf = multiple };

        if (kept == experts)
        {
            ArgumentException exception = Assert.Throws<ArgumentException>(() => PruningPlan.Create(Statistics(experts, 8), options));
            Assert.Contains("Nothing would be dropped", exception.Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(kept, PruningPlan.Create(Statistics(experts, 8), options).KeptExpertCount);
        }
    }

    // What goes first: a low score, then few tokens, then a high number.
    [Fact]
    public void Create_Ties_FallTheSameWayAlways()
    {
        ExpertStatistics statistics = Statistics(experts: 5, active: 1);
        foreach (int expert in new[] { 0, 1, 1, 2, 3, 3 })
        {
            statistics.GetLayer(1).Record(expert, gate: 1, norm: 2, maxActivation: 1);
        }

        int[] kept = [.. Enumerable.Range(1, 4).Select(count => PruningPlan.Create(
            statistics, new PruningOptions { KeptExpertCount = count }).Layers[0].KeptExperts).Select(list => list.Sum(i => 1 << i))];

        Assert.Equal([0b00010, 0b01010, 0b01011, 0b01111], kept);
    }

    [Fact]
    public void Create_Random_DependsOnTheSeedAlone()
    {
        PruningPlan[] plans =
        [
            .. new[] { 1, 1, 2 }.Select(seed => PruningPlan.Create(
                Statistics(64, 2, 2), new PruningOptions { Criterion = PruningCriterion.Random, KeptExpertCount = 32, Seed = seed })),
        ];

        Assert.True(plans[0].CompareWith(plans[1]).IsEmpty);
        Assert.InRange(plans[0].CompareWith(plans[2]).Overlap, 0.1, 0.6);
        Assert.NotEqual(plans[0].Layers[0].KeptExperts, plans[0].Layers[1].KeptExperts);
        Assert.Equal(1, plans[0].Seed);
        Assert.Null(plans[0].GateMode);

        // Uniform: of 2,048 numbers in 16 bins each bin has about 128.
        double[] numbers = [.. Enumerable.Range(0, 16).SelectMany(seed => PruningPlan.Create(
            Statistics(64, 2, 2), new PruningOptions { Criterion = PruningCriterion.Random, KeptExpertCount = 32, Seed = seed })
            .Layers.SelectMany(layer => layer.Scores))];
        Assert.Equal(2048, numbers.Distinct().Count());
        Assert.All(Enumerable.Range(0, 16), bin => Assert.InRange(numbers.Count(number => (int)(number * 16) == bin), 80, 180));
    }

    [Fact]
    public void Create_ProtectedExperts_StayWhateverTheirScore()
    {
        ExpertStatistics statistics = Scored([.9, .1, .8, .2], new ObservedModel("m", "", 4, 1, 1, 1));
        PruningOptions options = new()
        {
            KeptExpertCount = 2,
            ProtectedExperts = new Dictionary<int, IReadOnlyList<int>> { [1] = [1] },
        };

        PruningPlan plan = PruningPlan.Create(statistics, options);

        Assert.Equal([0, 1], plan.Layers[0].KeptExperts);
        Assert.Equal([1], plan.Layers[0].ProtectedExperts);
        Assert.Equal([.9, .1, .8, .2], plan.Layers[0].Scores);
    }

    [Fact]
    public void Create_CountsByLayer_HoldForTheirLayer()
    {
        PruningOptions options = new() { Ratio = 0.5m, KeptExpertCountByLayer = new Dictionary<int, int> { [2] = 6 } };

        PruningPlan plan = PruningPlan.Create(Statistics(8, 2, 3), options);

        Assert.Equal([4, 6, 4], plan.Layers.Select(layer => layer.KeptExperts.Count));
        Assert.Null(plan.KeptExpertCount);
    }

    // 400 experts: the 99.5th percentile of 398 ones, one 20 and one 30 lies between 1 and 20, a tenth of the largest at 3.
    [Theory]
    [InlineData(SuperExpertProtection.None, new int[0], new int[0])]
    [InlineData(SuperExpertProtection.EarlyLayers, new[] { 7 }, new int[0])]
    [InlineData(SuperExpertProtection.AllLayers, new[] { 7 }, new[] { 9 })]
    public void Create_SuperExperts_AreProtectedInTheirOwnLayer(SuperExpertProtection protection, int[] early, int[] late)
    {
        ExpertStatistics statistics = Statistics(100, 2, 4);
        foreach (LayerStatistics layer in statistics.Layers)
        {
            foreach (int expert in Enumerable.Range(0, 100))
            {
                double largest = (layer.LayerIndex, expert) switch { (2, 7) => 20, (4, 9) => 30, _ => 1 };
                layer.Record(expert, gate: largest > 1 ? 0.001 : 1, norm: 1, largest);
            }
        }

        PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { KeptExpertCount = 50, SuperExperts = protection });

        Assert.Equal(early, plan.Layers[1].ProtectedExperts);
        Assert.Equal(late, plan.Layers[3].ProtectedExperts);
        Assert.Empty(plan.Layers[0].ProtectedExperts);
        Assert.All(early, expert => Assert.Contains(expert, plan.Layers[1].KeptExperts));
    }

    public static TheoryData<PruningOptions, string> Impossible { get; } = new()
    {
        {
            new PruningOptions { Ratio = 0.5m, Criterion = PruningCriterion.EanCa },
            "The criterion 'ean-ca' needs the sums of the experts' outputs, which this observation lacks. Make it anew with "
            + "ObservationOptions.SumsOutputs ('kimi observe --output-sums')"
        },
        { new PruningOptions(), "must be said in one way" },
        { new PruningOptions { Ratio = 0.5m, KeptExpertCount = 3 }, "must be said in one way" },
        { new PruningOptions { Ratio = 0m }, "must be above 0 and below 1, but is 0." },
        { new PruningOptions { Ratio = 1m }, "must be above 0 and below 1, but is 1." },
        { new PruningOptions { Ratio = 0.1m }, "Nothing would be dropped of the 8 experts" },
        { new PruningOptions { KeptExpertCount = 8 }, "Nothing would be dropped" },
        { new PruningOptions { KeptExpertCount = 9 }, "9 experts cannot be kept of 8." },
        { new PruningOptions { KeptExpertCount = 0 }, "0 experts cannot be kept of 8." },
        { new PruningOptions { KeptExpertCount = 2 }, "Layer 1: 2 experts would be kept, but every token visits 3." },
        { new PruningOptions { Ratio = 0.9m }, "1 experts would be kept, but every token visits 3." },
        { new PruningOptions { Ratio = 0.5m, MultipleOf = 11 }, "is a multiple of 11" },
        { new PruningOptions { Ratio = 0.5m, KeptExpertCountByLayer = new Dictionary<int, int> { [-1] = 4 } }, "Layer -1 is none of" },
        {
            new PruningOptions { Ratio = 0.5m, ProtectedExperts = new Dictionary<int, IReadOnlyList<int>> { [7] = [1] } },
            "Layer 7 is none of the 2 sparse layers"
        },
        {
            new PruningOptions { Ratio = 0.5m, ProtectedExperts = new Dictionary<int, IReadOnlyList<int>> { [2] = [8] } },
            "Layer 2: expert 8 cannot be protected: the model has the experts 0 to 7."
        },
        {
            new PruningOptions { Ratio = 0.5m, ProtectedExperts = new Dictionary<int, IReadOnlyList<int>> { [2] = [0, 1, 2, 3, 4] } },
            "Layer 2: 5 experts are protected, but only 4 are to be kept."
        },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Create_WhatCannotBe_IsRefused(PruningOptions options, string complaint)
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(() => PruningPlan.Create(Statistics(8, 3, 2), options));

        Assert.Contains(complaint, exception.Message, StringComparison.Ordinal);
    }

    private static PruningOptions Ratio(string ratio) =>
        new() { Ratio = decimal.Parse(ratio, System.Globalization.CultureInfo.InvariantCulture) };

    private static ExpertStatistics Statistics(int experts, int active, int layers = 1) =>
        new(new ObservedModel("m", "", experts, active, 1, 1), GateMode.Model, Enumerable.Range(1, layers));

    private static ExpertStatistics Scored(double[] saliencies, ObservedModel model)
    {
        ExpertStatistics statistics = new(model, GateMode.Model, [1]);
        for (int expert = 0; expert < saliencies.Length; expert++)
        {
            statistics.GetLayer(1).Record(expert, gate: 1, norm: saliencies[expert], maxActivation: 0);
        }

        return statistics;
    }

    private static void AssertClose(double[] expected, IReadOnlyList<double> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Count);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.Second, pair.First - tolerance, pair.First + tolerance));
    }
}
