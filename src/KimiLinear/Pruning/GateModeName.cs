namespace KimiLinear.Pruning;

/// <summary>The names of gate modes in files and on command lines.</summary>
public static class GateModeName
{
    private static readonly Dictionary<GateMode, string> Names = new()
    {
        [GateMode.Model] = "model",
        [GateMode.ModelScaled] = "model-scaled",
        [GateMode.HfAlias] = "hf-alias",
        [GateMode.RepoLiteral] = "repo-literal",
    };

    /// <summary>Gets the names there are.</summary>
    public static IReadOnlyCollection<string> All => Names.Values;

    /// <summary>Names a mode.</summary>
    /// <param name="mode">The mode.</param>
    /// <returns>Its name.</returns>
    public static string Of(GateMode mode) => Names[mode];

    /// <summary>Finds a mode by its name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The mode.</returns>
    /// <exception cref="FormatException">There is no such mode.</exception>
    public static GateMode Parse(string? name) =>
        Names.FirstOrDefault(pair => pair.Value == name) is { Value: not null } pair
            ? pair.Key
            : throw new FormatException($"'{name}' is no gate mode; there are {string.Join(", ", All)}.");
}
