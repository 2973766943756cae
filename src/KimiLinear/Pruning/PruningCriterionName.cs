namespace KimiLinear.Pruning;

/// <summary>The names of criteria in plans and on command lines.</summary>
public static class PruningCriterionName
{
    private static readonly Dictionary<PruningCriterion, string> Names = new()
    {
        [PruningCriterion.Reap] = "reap",
        [PruningCriterion.Frequency] = "frequency",
        [PruningCriterion.EanSum] = "ean-sum",
        [PruningCriterion.EanMean] = "ean-mean",
        [PruningCriterion.Random] = "random",
        [PruningCriterion.GateSum] = "gate-sum",
        [PruningCriterion.WeightedEanSum] = "weighted-ean-sum",
        [PruningCriterion.MaxActivation] = "max-activation",
        [PruningCriterion.ReapL2] = "reap-l2",
        [PruningCriterion.WeightedEanSumL2] = "weighted-ean-sum-l2",
        [PruningCriterion.MeanSquaredNorm] = "mean-squared-norm",
        [PruningCriterion.Probability] = "probability",
        [PruningCriterion.EanCa] = "ean-ca",
    };

    /// <summary>Gets the names there are.</summary>
    public static IReadOnlyCollection<string> All => Names.Values;

    /// <summary>Names a criterion.</summary>
    /// <param name="criterion">The criterion.</param>
    /// <returns>Its name.</returns>
    public static string Of(PruningCriterion criterion) => Names[criterion];

    /// <summary>Finds a criterion by its name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The criterion.</returns>
    /// <exception cref="FormatException">There is no such criterion.</exception>
    public static PruningCriterion Parse(string? name) =>
        Names.FirstOrDefault(pair => pair.Value == name) is { Value: not null } pair
            ? pair.Key
            : throw new FormatException($"'{name}' is no criterion; there are {string.Join(", ", All)}.");
}
