using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

public sealed class ExpertMergerTests
{
    private static readonly int[] Prompt = [1, 20, 3, 14, 5, 9, 2, 6, 17, 30, 41, 12, 8, 25, 33, 7];

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(10)]
    public void Of_OppositeVectors_AreHalfATurnApart(int dim)
    {
        double[] ones = [.. Enumerable.Repeat(1.0, dim)];
        double[] opposite = [.. Enumerable.Repeat(-1.0, dim)];

        Assert.Equal(1, VectorDistance.Of(ones, opposite, ExpertDistance.Angular), 1e-7);
        Assert.Equal(0, VectorDistance.Of(ones, ones, ExpertDistance.Angular), 1e-7);
        Assert.Equal(2, VectorDistance.Of(ones, opposite, ExpertDistance.Cosine), 1e-12);
        Assert.Equal(2 * Math.Sqrt(dim), VectorDistance.Of(ones, opposite, ExpertDistance.Euclidean), 1e-12);
    }

    // reap.md, case D: outputs of zero have no direction, orthogonal ones are 1 apart whatever their length.
    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(1, 0, 0, 1)]
    [InlineData(1, 0, 0, 90)]
    public void Distances_TokenOutputsOfTwo_AreOneApart(double x0, double y0, double x1, double y1)
    {
        MergeStatistics statistics = new(2, 2);
        statistics.Add([[x0, y0], [x1, y1]], [0, 0], [0]);
        statistics.Add([[x0, y0], [x1, y1]], [0, 0], [1]);

        double[,] distances = statistics.Distances(ExpertSimilarity.TokenOutputs, ExpertDistance.Cosine);

        Assert.Equal(new double[,] { { 0, 1 }, { 1, 0 } }, distances);
    }

    [Theory]
    [InlineData(new[] { 0, 1, 2, 3 }, true)]
    [InlineData(new[] { 0, 0, 1, 2 }, true)]
    [InlineData(new[] { 0, 1, 1, 2, 3, 3, 3 }, true)]
    [InlineData(new[] { 0, 2, 0, 2, 0 }, false)]
    public void Distances_TokenOutputsOfFour_DependOnTheirDirections(int[] chosen, bool areAllSeen)
    {
        MergeStatistics statistics = new(4, 2);
        foreach (int expert in chosen)
        {
            statistics.Add([[1, 0], [0, 1], [-1, 0], [0, -1]], new float[4], [expert]);
        }

        double[,] distances = statistics.Distances(ExpertSimilarity.TokenOutputs, ExpertDistance.Cosine);

        double opposite = areAllSeen ? 2 : 0;
        Assert.Equal(new[,] { { 0, 1, 2.0, 1 }, { 1, 0, 1, opposite }, { 2, 1, 0, 1 }, { 1, opposite, 1, 0 } }, distances);
    }

    // The second distance is of rows of the first: expert 0 and 1 have the same row but for the diagonal.
    [Fact]
    public void Distances_RouterLogits_AreTakenTwice()
    {
        MergeStatistics statistics = new(3, 1);
        statistics.Add([[0], [0], [0]], [1, 2, 0], [0]);
        statistics.Add([[0], [0], [0]], [0, 0, 5], [0]);

        double[,] distances = statistics.Distances(ExpertSimilarity.RouterLogits, ExpertDistance.Cosine);

        // The rows are (0, 0, 1), (0, 0, 1) and (1, 1, 0).
        Assert.Equal(0, distances[0, 1], 1e-12);
        Assert.Equal(1, distances[0, 2], 1e-12);
    }

    // By hand: 1 and 2 first (1), then 0 and 3 (4), then both at (6 + 9 + 5 + 8) / 4 = 7 before 4 at 20.
    [Theory]
    [InlineData(5, new[] { "0", "1", "2", "3", "4" })]
    [InlineData(4, new[] { "0", "1,2", "3", "4" })]
    [InlineData(3, new[] { "0,3", "1,2", "4" })]
    [InlineData(2, new[] { "0,1,2,3", "4" })]
    [InlineData(1, new[] { "0,1,2,3,4" })]
    public void Cluster_SmallMatrix_JoinsTheNearestOnAverage(int count, string[] expected)
    {
        double[,] distances =
        {
            { 0, 6, 9, 4, 20 },
            { 6, 0, 1, 5, 20 },
            { 9, 1, 0, 8, 20 },
            { 4, 5, 8, 0, 20 },
            { 20, 20, 20, 20, 0 },
        };

        Assert.Equal(expected, AverageLinkage.Cluster(distances, count).Select(cluster => string.Join(',', cluster)));
    }

    [Fact]
    public void Group_VisitsOfAllLayers_KeepsTheMostVisitedAndAtLeastOne()
    {
        long[][] visits = [[9, 8, 7, 6], [1, 0, 2, 0]];
        double[,] near = { { 0, 9, 9, 1 }, { 9, 0, 1, 9 }, { 9, 1, 0, 9 }, { 1, 9, 9, 0 } };

        IReadOnlyList<IReadOnlyList<int[]>> groups = DominantExperts.Group(visits, [near, near], total: 3);

        Assert.Equal(["0,3", "1,2"], groups[0].Select(group => string.Join(',', group)));
        Assert.Equal(["2,0,1,3"], groups[1].Select(group => string.Join(',', group)));
    }

    [Fact]
    public void Least_RandomCosts_IsTheBestOfAllPermutations()
    {
        Random random = new(5);
        for (int n = 1; n <= 6; n++)
        {
            for (int round = 0; round < 20; round++)
            {
                double[,] costs = new double[n, n];
                foreach ((int i, int j) in Enumerable.Range(0, n).SelectMany(i => Enumerable.Range(0, n).Select(j => (i, j))))
                {
                    costs[i, j] = random.Next(-20, 20);
                }

                int[] found = Assignment.Least(costs);

                Assert.Equal(Enumerable.Range(0, n), found.Order());
                Assert.Equal(Permutations([.. Enumerable.Range(0, n)]).Min(Cost), Cost(found));

                double Cost(int[] columns) => columns.Select((column, row) => costs[row, column]).Sum();
            }
        }
    }

    [Fact]
    public void MatchedTo_ShuffledUnits_PutsThemBack()
    {
        KimiLinearConfig config = KimiLinearModel.LoadConfig(Golden.TinyModel);
        using Checkpoint checkpoint = Checkpoint.Open(Golden.TinyModel);
        ExpertMatrices expert = ExpertMatrices.Read(checkpoint, layer: 1, expert: 3);
        int[] order = [.. Enumerable.Range(0, config.ExpertDim).OrderBy(unit => (unit * 37) % config.ExpertDim)];
        ExpertMatrices shuffled = new(
            [.. order.SelectMany(unit => expert.Gate[(unit * config.HiddenDim)..((unit + 1) * config.HiddenDim)])],
            [.. order.SelectMany(unit => expert.Up[(unit * config.HiddenDim)..((unit + 1) * config.HiddenDim)])],
            [.. Enumerable.Range(0, config.HiddenDim).SelectMany(
                row => order.Select(unit => expert.Down[(row * config.ExpertDim) + unit]))]);
        Assert.NotEqual(expert.Gate, shuffled.Gate);

        ExpertMatrices matched = shuffled.MatchedTo(expert, config);

        Assert.Equal(expert.Gate, matched.Gate);
        Assert.Equal(expert.Up, matched.Up);
        Assert.Equal(expert.Down, matched.Down);
    }

    // The mean outputs of experts, found apart: with plain loops over what the model hands to its experts.
    [Theory]
    [InlineData(MergeMethod.HcSmoe)]
    [InlineData(MergeMethod.MSmoe)]
    public void Merge_SmallModel_WritesTheMeanInAllPlaces(MergeMethod method)
    {
        using TemporaryFolder folder = new();
        MergeOptions options = new() { Method = method, Ratio = 0.3m, StepTokens = 5 };

        IReadOnlyDictionary<int, IReadOnlyList<int[]>> groups = ExpertMerger.Merge(
            Golden.TinyModel, folder.File("merged"), CalibrationTokens.FromSequences([Prompt]), options);

        Assert.Equal([1, 2, 3, 4, 5], groups.Keys);
        Assert.Equal(5 * 14, groups.Values.Sum(layer => layer.Count));
        Assert.All(groups.Values, layer => Assert.Equal(Enumerable.Range(0, 20), layer.SelectMany(group => group).Order()));
        if (method == MergeMethod.HcSmoe)
        {
            Assert.All(groups.Values, layer => Assert.Equal(14, layer.Count));
        }

        using Checkpoint source = Checkpoint.Open(Golden.TinyModel);
        using Checkpoint merged = Checkpoint.Open(folder.File("merged"));
        long[] visits = Visits(layer: 1);
        foreach (int[] group in groups[1])
        {
            ExpertMatrices[] before = [.. group.Select(expert => ExpertMatrices.Read(source, 1, expert))];
            ExpertMatrices[] after = [.. group.Select(expert => ExpertMatrices.Read(merged, 1, expert))];
            Assert.All(after, expert => Assert.Equal(after[0].Down, expert.Down));
            if (method == MergeMethod.HcSmoe || group.Length == 1)
            {
                double[] weights = [.. group.Select(expert => group.Sum(other => visits[other]) == 0 ? 1.0 : visits[expert])];
                for (int i = 0; i < before[0].Gate.Length; i++)
                {
                    double mean = before.Zip(weights, (expert, weight) => weight * expert.Gate[i]).Sum() / weights.Sum();
                    Assert.Equal(mean, after[0].Gate[i], 0.004 * Math.Abs(mean) + 1e-9);
                }
            }
        }

        Assert.All(Logits(folder.File("merged")), logit => Assert.True(float.IsFinite(logit)));
    }

    [Fact]
    public void Merge_WhatCannotBeMerged_IsRefusedAndNothingIsLeft()
    {
        using TemporaryFolder folder = new();
        CalibrationTokens data = CalibrationTokens.FromSequences([Prompt]);
        ModelPacker.Pack(Golden.TinyModel, folder.File("packed"), WeightFormat.Q8);
        MergeOptions options = new() { Ratio = 0.3m };

        Assert.Contains("needs plain numbers", Assert.Throws<NotSupportedException>(
            () => ExpertMerger.Merge(folder.File("packed"), folder.File("merged"), data, options)).Message, StringComparison.Ordinal);
        Assert.Contains("is a GGUF file", Assert.Throws<NotSupportedException>(() => ExpertMerger.Merge(
            Path.Combine(Golden.Root, "gguf", "bf16.gguf"), folder.File("merged"), data, options)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(
            () => ExpertMerger.Merge(Golden.TinyModel, folder.File("merged"), data, options with { Ratio = 0.01m }));
        Assert.Throws<IOException>(() => ExpertMerger.Merge(Golden.TinyModel, folder.Path, data, options));
        Assert.Contains("Token 1 of sequence 1 of the calibration data is 99999", Assert.Throws<ArgumentException>(
            () => ExpertMerger.Merge(
                Golden.TinyModel, folder.File("merged"), CalibrationTokens.FromSequences([Prompt, [1, 99999]]), options)).Message,
            StringComparison.Ordinal);

        Assert.Equal([folder.File("packed")], Directory.GetFileSystemEntries(folder.Path));
    }

    // While it reads; or, when all has been read in one step, before it writes the first experts.
    [Theory]
    [InlineData(5)]
    [InlineData(512)]
    public void Merge_Cancelled_LeavesNothing(int stepTokens)
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource cancel = new();
        Callback<ObservationProgress> stop = new(_ => cancel.Cancel());
        MergeOptions options = new() { Ratio = 0.3m, StepTokens = stepTokens };

        Assert.ThrowsAny<OperationCanceledException>(() => ExpertMerger.Merge(
            Golden.TinyModel, folder.File("merged"), CalibrationTokens.FromSequences([Prompt]), options, stop, cancel.Token));

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    private static long[] Visits(int layer)
    {
        using KimiLinearModel model = KimiLinearModel.Load(Golden.TinyModel);
        ExpertStatistics statistics = ExpertObserver.Observe(model, CalibrationTokens.FromSequences([Prompt]));
        return [.. statistics.GetLayer(layer).TokenCounts];
    }

    private static IEnumerable<int[]> Permutations(int[] items) => items.Length <= 1
        ? [items]
        : items.SelectMany(item => Permutations([.. items.Where(other => other != item)]).Select(rest => (int[])[item, .. rest]));

    private static float[] Logits(string path)
    {
        using KimiLinearModel model = KimiLinearModel.Load(path);
        using SequenceState sequence = model.CreateSequence();
        float[] logits = new float[Prompt.Length * model.Config.VocabularySize];
        model.ForwardEveryToken(sequence, Prompt, logits);
        return logits;
    }
}
