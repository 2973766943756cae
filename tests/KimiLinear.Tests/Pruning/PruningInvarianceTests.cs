using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tests.Checkpoints;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Pruning;

/// <summary>What must not matter to a choice of experts: how it was observed, in how many parts, and how experts are numbered.</summary>
public sealed class PruningInvarianceTests
{
    private const double Rounding = 1e-5;

    private static readonly ModelLoadOptions OnCpu = new() { Device = ComputeDevice.Cpu, ThreadCount = 2 };

    public static TheoryData<string, bool> Observers()
    {
        TheoryData<string, bool> cases = [];
        foreach (string name in Golden.ModelNames)
        {
            cases.Add(name, false);
            cases.Add(name, true);
        }

        return cases;
    }

    public static TheoryData<string, string> HostedBackends()
    {
        TheoryData<string, string> cases = [];
        foreach (string backend in Backend.Hosted)
        {
            cases.Add("plain", backend);
            cases.Add("grouped", backend);
        }

        return cases;
    }

    /// <summary>From the observation to the files: the least visited expert of each group goes, by the golden counts.</summary>
    [Theory]
    [MemberData(nameof(Observers))]
    public void Prune_ByFrequency_LeavesOneExpertLess(string name, bool layerWise)
    {
        using TemporaryFolder folder = new();
        using GoldenExpectation expected = new(name);
        string source = Golden.Model(name);
        ObservationOptions options = new() { ResultPath = folder.File("OBS.json") };
        CalibrationTokens data = CalibrationTokens.FromSequences([expected.InputIds]);
        ExpertStatistics statistics = layerWise
            ? ExpertObserver.ObserveLayerWise(source, data, options, OnCpu)
            : Observe(source, data, options);
        (int experts, int groups) = (statistics.Model.ExpertCount, statistics.Model.ExpertGroupCount);

        PruningPlan plan = PruningPlan.Create(
            statistics, new PruningOptions { Criterion = PruningCriterion.Frequency, KeptExpertCount = experts - groups });
        CheckpointPruner.Prune(source, folder.File("pruned"), plan);

        using Checkpoint pruned = Checkpoint.Open(folder.File("pruned"));
        foreach (LayerPlan layer in plan.Layers)
        {
            double[] counts = expected.Doubles($"reap.{layer.LayerIndex}.token_count");
            int[] least = [.. Enumerable.Range(0, groups).Select(group => Enumerable.Range(group * experts / groups, experts / groups)
                .MinBy(expert => (counts[expert], -expert)))];
            Assert.Equal(Enumerable.Range(0, experts).Except(least), layer.KeptExperts);
            Assert.Equal(
                experts - groups, pruned.Get(WeightNames.InLayer(layer.LayerIndex, WeightNames.SparseMoe.Router)).Shape[0]);
            int[] present = [.. pruned.Tensors
                .Where(tensor => WeightNames.TryParseLayer(tensor.Name, out int index, out _) && index == layer.LayerIndex)
                .Select(tensor => tensor.Name[WeightNames.InLayer(layer.LayerIndex, "").Length..])
                .Where(WeightNames.SparseMoe.IsExpert)
                .Select(rest => WeightNames.SparseMoe.TryParseExpert(rest, out int expert, out _) ? expert : -1)
                .Distinct().Order()];
            Assert.Equal(Enumerable.Range(0, experts - groups), present);
        }
    }

    /// <summary>Every expert computes every token, and of that only what was routed is counted: the same, number for number.</summary>
    [Theory]
    [MemberData(nameof(HostedBackends))]
    public void Observe_RoutedOutputsOnly_IsWhatAllExpertsGive(string name, string backend)
    {
        using GoldenExpectation expected = new(name);
        int[] ids = expected.InputIds[..30];
        using KimiLinearModel model = Backend.Load(Golden.Model(name), backend);
        ExpertStatistics routed = new(
            ObservedModel.Of(name, "", model.Config), GateMode.Model, model.Config.SparseLayers.Index().Where(layer => layer.Item).Select(layer => layer.Index));
        Forward(new ExpertRecorder(model.Config, routed));
        int passes = (model.Config.ExpertCount + model.Config.ActiveExpertCount - 1) / model.Config.ActiveExpertCount;
        DenseRecorder dense = new(model.Config.ExpertCount, model.Config.ActiveExpertCount);
        for (int pass = 0; pass < passes; pass++)
        {
            dense.First = pass * model.Config.ActiveExpertCount;
            Forward(dense);
        }

        foreach (LayerStatistics layer in routed.Layers)
        {
            double[] sums = new double[layer.ExpertCount];
            foreach ((int token, int expert) in dense.Routed(layer.LayerIndex))
            {
                sums[expert] += dense.Norm(layer.LayerIndex, token, expert);
            }

            Assert.True(sums.Sum() > 0);
            for (int expert = 0; expert < sums.Length; expert++)
            {
                Assert.InRange(layer.NormSums[expert], (sums[expert] * (1 - 1e-7)) - 1e-9, (sums[expert] * (1 + 1e-7)) + 1e-9);
            }
        }

        void Forward(IExpertObserver observer)
        {
            using SequenceState sequence = model.CreateSequence();
            model.Forward([new BatchEntry(sequence, ids, LogitsRequest.None)], [], observer);
        }
    }

    /// <summary>As on several machines, each with a part of the data: the files, added, choose what one machine chooses.</summary>
    [Theory]
    [InlineData(PruningCriterion.Reap)]
    [InlineData(PruningCriterion.EanCa)]
    [InlineData(PruningCriterion.MaxActivation)]
    public void Create_PartsAddedFromFiles_KeepsWhatOneRunKeeps(PruningCriterion criterion)
    {
        using TemporaryFolder folder = new();
        using GoldenExpectation expected = new("sharded-f16");
        int[][] sequences = [.. Enumerable.Range(0, 9).Select(i => ModelCases.Repeat(expected.InputIds, i * 13, 20 + i))];
        ObservationOptions options = new() { SumsOutputs = true };
        ExpertStatistics whole = Observe(Golden.Model("sharded-f16"), CalibrationTokens.FromSequences(sequences), options);
        string[] parts = [.. Enumerable.Range(0, 3).Select(part => folder.File($"{part}.json"))];
        for (int part = 0; part < parts.Length; part++)
        {
            int[][] mine = [.. sequences.Where((_, i) => i % parts.Length == part)];
            _ = Observe(Golden.Model("sharded-f16"), CalibrationTokens.FromSequences(mine), options with { ResultPath = parts[part] });
        }

        ExpertStatistics sum = ExpertStatistics.Load(parts[2]);
        sum.Add(ExpertStatistics.Load(parts[0]));
        sum.Add(ExpertStatistics.Load(parts[1]));

        StatisticsAssert.Close(whole, sum, Rounding);
        PruningOptions half = new() { Criterion = criterion, Ratio = 0.5m };
        Assert.True(PruningPlan.Create(whole, half).CompareWith(PruningPlan.Create(sum, half)).IsEmpty);
    }

    /// <summary>A copy with its experts numbered otherwise is the same model, so the same experts go, under their other numbers.</summary>
    [Theory]
    [InlineData("plain")]
    [InlineData("sharded-f16")]
    [InlineData("strong-decay")]
    public void Create_ExpertsInAnotherOrder_KeepsTheSameOnes(string name)
    {
        using TemporaryFolder folder = new();
        using GoldenExpectation expected = new(name);
        string source = Golden.Model(name);
        int experts = KimiLinearModel.LoadConfig(source).ExpertCount;
        Dictionary<int, int[]> order = [];
        PruningPlan shuffle = TestPlans.Of(source, layer => order[layer] = Shuffled(experts, layer));
        CheckpointPruner.Prune(source, folder.File("shuffled"), shuffle);
        CalibrationTokens data = CalibrationTokens.FromSequences([expected.InputIds]);
        ObservationOptions options = new() { SumsOutputs = true };

        ExpertStatistics before = Observe(source, data, options);
        ExpertStatistics after = Observe(folder.File("shuffled"), data, options);

        HashSet<PruningCriterion> compared = [];
        foreach (PruningCriterion criterion in Enum.GetValues<PruningCriterion>().Except([PruningCriterion.Random]))
        {
            PruningOptions half = new() { Criterion = criterion, KeptExpertCount = experts / 2 };
            IReadOnlyList<LayerPlan> kept = PruningPlan.Create(before, half).Layers;
            foreach ((LayerPlan one, LayerPlan other) in kept.Zip(PruningPlan.Create(after, half).Layers))
            {
                int[] numbers = order[one.LayerIndex];
                StatisticsAssert.Close(
                    [.. numbers.Select(expert => one.Scores[expert])], other.Scores, Rounding, $"{criterion} of layer {one.LayerIndex}");

                // Of equal numbers of tokens, the expert that goes depends on the numbering, as it should.
                if (one.Scores.Distinct().Count() == experts)
                {
                    compared.Add(criterion);
                    Assert.Equal(one.KeptExperts, other.KeptExperts.Select(expert => numbers[expert]).Order());
                }
            }
        }

        Assert.Superset(new HashSet<PruningCriterion> { PruningCriterion.Reap, PruningCriterion.EanMean, PruningCriterion.EanCa }, compared);
    }

    // Never the order it was.
    private static int[] Shuffled(int count, int seed)
    {
        Random random = new(seed);
        int[] order = [.. Enumerable.Range(0, count).OrderBy(_ => random.Next())];
        return order.SequenceEqual(Enumerable.Range(0, count)) ? [.. order.Reverse()] : order;
    }

    private static ExpertStatistics Observe(string path, CalibrationTokens data, ObservationOptions options)
    {
        using KimiLinearModel model = KimiLinearModel.Load(path, OnCpu);
        return ExpertObserver.Observe(model, data, options);
    }

    /// <summary>Notes the norm of any expert's output for any token, some experts in each pass.</summary>
    private sealed class DenseRecorder(int expertCount, int active) : IExpertObserver
    {
        private readonly Dictionary<(int Layer, int Token, int Expert), double> _norms = [];
        private readonly Dictionary<int, int[]> _routed = [];
        private int[] _watched = [];

        public int First { get; set; }

        public bool WantsOutputs => false;

        public double Norm(int layer, int token, int expert) => _norms[(layer, token, expert)];

        public IEnumerable<(int Token, int Expert)> Routed(int layer) => _routed[layer].Select((expert, i) => (i / active, expert));

        public void OnRouted(int layerIndex, ReadOnlySpan<int> experts, ReadOnlySpan<float> weights) =>
            _routed[layerIndex] = experts.ToArray();

        public ReadOnlySpan<int> OnScored(
            int layerIndex, ReadOnlySpan<float> logits, ReadOnlySpan<float> correctionBias, ReadOnlySpan<int> experts) =>
            _watched = [.. Enumerable.Range(0, experts.Length).Select(i => (First + (i % active)) % expertCount)];

        public void OnOutput(int layerIndex, int expert, ReadOnlySpan<float> output) => Assert.Fail("Nobody asked for outputs.");

        public void OnMeasured(int layerIndex, ReadOnlySpan<double> norms, ReadOnlySpan<float> maxima)
        {
            for (int i = 0; i < norms.Length; i++)
            {
                _norms[(layerIndex, i / active, _watched[i])] = norms[i];
            }
        }
    }
}
