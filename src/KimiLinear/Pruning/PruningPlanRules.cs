using System.Globalization;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>What a plan must be for a model to come out of it that can be run.</summary>
internal static class PruningPlanRules
{
    /// <summary>Refuses a plan that cannot be, whatever the model's files hold.</summary>
    /// <exception cref="PruningFileException">It cannot; the message names the file, the layer and what to do.</exception>
    public static void Check(PruningPlan plan)
    {
        if (plan.Layers.Count == 0)
        {
            throw Refuse(plan, "has no layers. Give it one entry for each sparse layer of the model.");
        }

        int? previous = null;
        foreach (LayerPlan layer in plan.Layers)
        {
            if (layer.LayerIndex <= previous)
            {
                throw Refuse(plan, layer, layer.LayerIndex == previous
                    ? "it is there more than once. Leave one entry of it."
                    : "it stands behind a later one. Sort the layers.");
            }

            previous = layer.LayerIndex;
            CheckExperts(plan, layer);
            CheckRouter(plan, layer);
            CheckScores(plan, layer);
        }
    }

    /// <summary>Refuses a plan that is for another model, or that cannot be written as one.</summary>
    /// <param name="plan">A plan that <see cref="Check"/> accepts.</param>
    /// <param name="config">The model's configuration.</param>
    /// <param name="fingerprint">What its routers tell about it.</param>
    /// <param name="modelPath">Where it lies, for messages.</param>
    /// <exception cref="PruningFileException">It does not fit.</exception>
    public static void RequireFit(PruningPlan plan, KimiLinearConfig config, string fingerprint, string modelPath)
    {
        ObservedModel model = ObservedModel.Of(plan.Model.Name, plan.Model.Fingerprint, config);
        if (plan.Model != model)
        {
            throw Refuse(plan, string.Create(
                CultureInfo.InvariantCulture,
                $"is for a model with {Describe(plan.Model)}, but '{modelPath}' has {Describe(model)}. Make a plan for this model."));
        }

        int[] sparse = [.. Enumerable.Range(0, config.LayerCount).Where(layer => config.SparseLayers[layer])];
        if (plan.Layers.FirstOrDefault(layer => !sparse.Contains(layer.LayerIndex)) is { } unknown)
        {
            throw Refuse(
                plan, unknown, $"'{modelPath}' has no sparse layer of this number; they are {Ranges(sparse)}. Take the entry out.");
        }

        int[] missing = [.. sparse.Except(plan.Layers.Select(layer => layer.LayerIndex))];
        if (missing.Length > 0)
        {
            throw Refuse(plan, $"lacks the layers {Ranges(missing)} of '{modelPath}'. Give each an entry with the experts to keep.");
        }

        if (plan.KeptExpertCount is null)
        {
            LayerPlan least = plan.Layers.MinBy(layer => layer.KeptExperts.Count)!;
            LayerPlan most = plan.Layers.MaxBy(layer => layer.KeptExperts.Count)!;
            throw Refuse(plan, least, string.Create(
                CultureInfo.InvariantCulture,
                $"it keeps {least.KeptExperts.Count} experts, but layer {most.LayerIndex} keeps {most.KeptExperts.Count}. A model's "
                + $"configuration has one number for all layers: make them equal."));
        }

        if (plan.Model.Fingerprint.Length > 0 && plan.Model.Fingerprint != fingerprint)
        {
            throw Refuse(
                plan,
                $"was made for '{plan.Model.Name}', but the routers of '{modelPath}' hold other values: it is another model. Make a "
                + "plan for this model, or remove 'fingerprint' from the plan if the experts are nevertheless the same.");
        }
    }

    private static void CheckExperts(PruningPlan plan, LayerPlan layer)
    {
        int count = plan.Model.ExpertCount;
        foreach ((string name, IReadOnlyList<int> experts) in
            new[] { ("keep", layer.KeptExperts), ("protected", layer.ProtectedExperts) })
        {
            HashSet<int> seen = [];
            foreach (int expert in experts)
            {
                if (expert < 0 || expert >= count)
                {
                    throw Refuse(plan, layer, string.Create(
                        CultureInfo.InvariantCulture,
                        $"'{name}' names expert {expert}, but the model has the experts 0 to {count - 1}. Correct or remove it."));
                }

                if (!seen.Add(expert))
                {
                    throw Refuse(plan, layer, string.Create(
                        CultureInfo.InvariantCulture, $"'{name}' names expert {expert} more than once. Remove the others."));
                }
            }
        }

        int[] lost = [.. layer.ProtectedExperts.Except(layer.KeptExperts)];
        if (lost.Length > 0)
        {
            throw Refuse(plan, layer, string.Create(
                CultureInfo.InvariantCulture,
                $"expert {lost[0]} is protected, but not kept. Add it to 'keep', or remove it from 'protected'."));
        }
    }

    private static void CheckRouter(PruningPlan plan, LayerPlan layer)
    {
        ObservedModel model = plan.Model;
        (int kept, int groups) = (layer.KeptExperts.Count, model.ExpertGroupCount);
        if (kept < model.ActiveExpertCount)
        {
            throw Refuse(plan, layer, string.Create(
                CultureInfo.InvariantCulture,
                $"it keeps {kept} experts, but every token visits {model.ActiveExpertCount}. Keep at least as many."));
        }

        if (groups == 1)
        {
            return;
        }

        if (model.ExpertCount % groups != 0 || kept % groups != 0 || kept / groups < 2)
        {
            throw Refuse(plan, layer, string.Create(
                CultureInfo.InvariantCulture,
                $"it keeps {kept} experts, but the router divides them into {groups} groups of equal size, at least 2. Keep a "
                + $"multiple of {groups}."));
        }

        for (int i = 0; i < kept; i++)
        {
            int from = layer.KeptExperts[i] / (model.ExpertCount / groups);
            int to = i / (kept / groups);
            if (from != to)
            {
                throw Refuse(plan, layer, string.Create(
                    CultureInfo.InvariantCulture,
                    $"expert {layer.KeptExperts[i]} of the router's group {from} would come to stand in group {to}. Keep "
                    + $"{kept / groups} of the {model.ExpertCount / groups} experts of each of the {groups} groups, in order."));
            }
        }

        if (kept / groups * model.ActiveExpertGroupCount < model.ActiveExpertCount)
        {
            throw Refuse(plan, layer, string.Create(
                CultureInfo.InvariantCulture,
                $"it keeps {kept / groups} experts in each group, of which a token may visit {model.ActiveExpertGroupCount}: fewer "
                + $"than the {model.ActiveExpertCount} that it must visit. Keep more."));
        }
    }

    private static void CheckScores(PruningPlan plan, LayerPlan layer)
    {
        if (layer.Scores.Count > 0 && layer.Scores.Count != plan.Model.ExpertCount)
        {
            throw Refuse(plan, layer, string.Create(
                CultureInfo.InvariantCulture,
                $"it has {layer.Scores.Count} scores for {plan.Model.ExpertCount} experts. Give one for each, or remove 'scores'."));
        }

        if (layer.Scores.Any(score => !double.IsFinite(score)))
        {
            throw Refuse(plan, layer, "a score is not a finite number. Correct it, or remove 'scores'.");
        }
    }

    private static string Describe(ObservedModel model) => string.Create(
        CultureInfo.InvariantCulture,
        $"{model.ExpertCount} experts of which {model.ActiveExpertCount} are active, {model.ExpertGroupCount} groups of which "
        + $"{model.ActiveExpertGroupCount} are");

    private static string Ranges(int[] numbers)
    {
        List<string> parts = [];
        for (int i = 0; i < numbers.Length;)
        {
            int end = i;
            while (end + 1 < numbers.Length && numbers[end + 1] == numbers[end] + 1)
            {
                end++;
            }

            string first = numbers[i].ToString(CultureInfo.InvariantCulture);
            parts.Add(end == i ? first : string.Create(CultureInfo.InvariantCulture, $"{first} to {numbers[end]}"));
            i = end + 1;
        }

        return string.Join(", ", parts);
    }

    private static PruningFileException Refuse(PruningPlan plan, string complaint) =>
        new($"{plan.DisplayName} {complaint}", plan.FilePath);

    private static PruningFileException Refuse(PruningPlan plan, LayerPlan layer, string complaint) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{plan.DisplayName}, layer {layer.LayerIndex}: {complaint}"), plan.FilePath);
}
