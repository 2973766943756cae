using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>Which model an observation or a plan is about.</summary>
/// <param name="Name">Its name, for people.</param>
/// <param name="Fingerprint">
/// A hash of the routers of all layers in hexadecimal. Copies of a model in other formats have the same one as long as their
/// routers hold the same values; a pruned copy has another.
/// </param>
/// <param name="ExpertCount">Routed experts per sparse layer.</param>
/// <param name="ActiveExpertCount">How many of them a token visits.</param>
/// <param name="ExpertGroupCount">Groups the experts are divided into; 1 when they are not.</param>
/// <param name="ActiveExpertGroupCount">How many of the groups a token may visit.</param>
public sealed record ObservedModel(
    string Name,
    string Fingerprint,
    int ExpertCount,
    int ActiveExpertCount,
    int ExpertGroupCount,
    int ActiveExpertGroupCount)
{
    /// <summary>Finds out which model lies in a folder or file, without loading it.</summary>
    /// <param name="modelPath">The model, as a load accepts it.</param>
    /// <returns>The model.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder or file.</exception>
    /// <exception cref="FileNotFoundException">The folder lacks its configuration or weights.</exception>
    /// <exception cref="ModelFormatException">A file is damaged, or the model cannot be run.</exception>
    public static ObservedModel Inspect(string modelPath)
    {
        ModelLocation location = ModelLocation.Find(modelPath);
        KimiLinearConfig config = location.LoadConfig();
        using Checkpoint checkpoint = Checkpoint.Open(location);
        CheckpointSchema.Validate(checkpoint, config);
        return Of(location.Name, ModelFingerprint.Of(checkpoint, config), config);
    }

    internal static ObservedModel Of(string name, string fingerprint, KimiLinearConfig config) => new(
        name,
        fingerprint,
        config.ExpertCount,
        config.ActiveExpertCount,
        config.ExpertGroupCount,
        config.ActiveExpertGroupCount);
}
