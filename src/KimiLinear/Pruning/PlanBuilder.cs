using System.Globalization;

namespace KimiLinear.Pruning;

/// <summary>Makes a plan of what was seen of the experts.</summary>
internal sealed class PlanBuilder
{
    private readonly ExpertStatistics _statistics;
    private readonly PruningOptions _options;
    private readonly ObservedModel _model;
    private readonly Dictionary<int, int[]> _superExperts;

    public PlanBuilder(ExpertStatistics statistics, PruningOptions options)
    {
        _statistics = statistics;
        _options = options;
        _model = statistics.Model;
        if (options.Ratio is null == options.KeptExpertCount is null)
        {
            throw Refuse($"How many experts to keep must be said in one way: {nameof(options.Ratio)} or "
                + $"{nameof(options.KeptExpertCount)}.");
        }

        if (options.Ratio is <= 0 or >= 1)
        {
            throw Refuse(string.Create(
                CultureInfo.InvariantCulture, $"The ratio of experts to drop must be above 0 and below 1, but is {options.Ratio}."));
        }

        if (options.Criterion == PruningCriterion.EanCa && !statistics.HasOutputSums)
        {
            throw Refuse($"The criterion '{PruningCriterionName.Of(options.Criterion)}' needs the sums of the experts' outputs, which this "
                + $"observation lacks. Make it anew with {nameof(ObservationOptions)}.{nameof(ObservationOptions.SumsOutputs)} ('kimi "
                + "observe --output-sums'), or choose another criterion.");
        }

        RequireLayers(options.KeptExpertCountByLayer.Keys.Concat(options.ProtectedExperts.Keys));
        _superExperts = SuperExperts.Find(statistics, options.SuperExperts);
    }

    /// <exception cref="ArgumentException">The options ask for what cannot be.</exception>
    public PruningPlan Build()
    {
        LayerPlan[] layers = [.. _statistics.Layers.Select(Choose)];
        if (layers.All(layer => layer.KeptExperts.Count == _model.ExpertCount))
        {
            throw Refuse(string.Create(
                CultureInfo.InvariantCulture,
                $"Nothing would be dropped of the {_model.ExpertCount} experts of each layer. Ask for a larger ratio or fewer experts."));
        }

        bool isRandom = _options.Criterion == PruningCriterion.Random;
        PruningPlan plan = new()
        {
            Model = _model,
            Criterion = PruningCriterionName.Of(_options.Criterion),
            GateMode = isRandom ? null : _statistics.GateMode,
            Ratio = _options.Ratio,
            Seed = isRandom ? _options.Seed : null,
            Calibration = isRandom ? [] : _statistics.Calibration,
            Layers = layers,
        };
        PruningPlanRules.Check(plan);
        return plan;
    }

    private LayerPlan Choose(LayerStatistics layer)
    {
        double[] scores = ExpertScores.Of(layer, _options.Criterion, _model.ActiveExpertCount, _options.Seed);
        int broken = Array.FindIndex(scores, score => !double.IsFinite(score));
        if (broken >= 0)
        {
            throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture,
                $"the score of expert {broken} is {scores[broken]}, no finite number. The observation is damaged: make it anew."));
        }

        int[] guarded = Guarded(layer);
        int keptPerGroup = CountFor(layer) / _model.ExpertGroupCount;
        int groupSize = _model.ExpertCount / _model.ExpertGroupCount;
        List<int> kept = [];
        for (int group = 0; group < _model.ExpertGroupCount; group++)
        {
            int first = group * groupSize;
            int guardedCount = guarded.Count(expert => expert / groupSize == group);
            if (guardedCount > keptPerGroup)
            {
                string where = _model.ExpertGroupCount == 1
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture, $" of the router's group {group}");
                throw Refuse(layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"{guardedCount} experts{where} are protected, but only {keptPerGroup} are to be kept. Keep more, or protect fewer."));
            }

            // What goes first: a low score, then few tokens, then a high number.
            kept.AddRange(Enumerable.Range(first, groupSize)
                .OrderByDescending(expert => guarded.Contains(expert))
                .ThenByDescending(expert => scores[expert])
                .ThenByDescending(expert => layer.TokenCounts[expert])
                .ThenBy(expert => expert)
                .Take(keptPerGroup)
                .Order());
        }

        return new LayerPlan { LayerIndex = layer.LayerIndex, KeptExperts = kept, ProtectedExperts = guarded, Scores = scores };
    }

    private int[] Guarded(LayerStatistics layer)
    {
        IEnumerable<int> named = _options.ProtectedExperts.GetValueOrDefault(layer.LayerIndex, []);
        if (named.Any(expert => expert < 0 || expert >= _model.ExpertCount))
        {
            throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture,
                $"expert {named.First(expert => expert < 0 || expert >= _model.ExpertCount)} cannot be protected: the model has the "
                + $"experts 0 to {_model.ExpertCount - 1}."));
        }

        return [.. named.Union(_superExperts.GetValueOrDefault(layer.LayerIndex, [])).Order()];
    }

    private int CountFor(LayerStatistics layer)
    {
        (int experts, int groups) = (_model.ExpertCount, _model.ExpertGroupCount);
        int kept = _options.KeptExpertCountByLayer.TryGetValue(layer.LayerIndex, out int own) ? own
            : _options.KeptExpertCount ?? experts - DropCount(_options.Ratio!.Value);
        if (kept < 1 || kept > experts)
        {
            throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture, $"{kept} experts cannot be kept of {experts}."));
        }

        if (kept % groups != 0)
        {
            throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture,
                $"{kept} experts cannot be divided equally among the router's {groups} groups. Keep a multiple of {groups}."));
        }

        int multiple = _options.MultipleOf;
        while (kept % multiple != 0 && kept < experts)
        {
            kept += groups;
        }

        if (kept % multiple != 0)
        {
            throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture,
                $"no number of experts up to {experts} that would be kept is a multiple of {multiple}. Ask for another one."));
        }

        return kept >= _model.ActiveExpertCount
            ? kept
            : throw Refuse(layer, string.Create(
                CultureInfo.InvariantCulture,
                $"{kept} experts would be kept, but every token visits {_model.ActiveExpertCount}. Keep at least as many."));
    }

    // With groups the same number goes in each, which may change the total; halves go to the even number.
    private int DropCount(decimal ratio)
    {
        int count = (int)decimal.Floor(_model.ExpertCount * ratio);
        int groups = _model.ExpertGroupCount;
        return groups == 1 ? count : (int)decimal.Round((decimal)count / groups, MidpointRounding.ToEven) * groups;
    }

    private void RequireLayers(IEnumerable<int> named)
    {
        int[] sparse = [.. _statistics.Layers.Select(layer => layer.LayerIndex)];
        int[] unknown = [.. named.Except(sparse)];
        if (unknown.Length > 0)
        {
            throw Refuse(string.Create(
                CultureInfo.InvariantCulture,
                $"Layer {unknown[0]} is none of the {sparse.Length} sparse layers, which begin at {sparse[0]}."));
        }
    }

    private static ArgumentException Refuse(LayerStatistics layer, string complaint) =>
        Refuse(string.Create(CultureInfo.InvariantCulture, $"Layer {layer.LayerIndex}: {complaint}"));

    private static ArgumentException Refuse(string message) => new(message);
}
