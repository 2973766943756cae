namespace KimiLinear.Pruning;

/// <summary>Which routed experts of a model are kept, layer by layer, and why.</summary>
/// <remarks>
/// A plan is a readable JSON file that may be edited by hand; it is checked as a whole when it is loaded. Immutable.
/// </remarks>
public sealed class PruningPlan
{
    /// <summary>Gets the model the plan is for.</summary>
    public required ObservedModel Model { get; init; }

    /// <summary>Gets what the experts were chosen by, as "reap"; "recovered" when the plan was read off a pruned model.</summary>
    public required string Criterion { get; init; }

    /// <summary>Gets what was taken for the weight of an expert's output; <see langword="null"/> when it played no part.</summary>
    public GateMode? GateMode { get; init; }

    /// <summary>Gets the part of the experts that was asked to go; <see langword="null"/> when a number was asked for.</summary>
    public decimal? Ratio { get; init; }

    /// <summary>Gets the seed of a random choice; <see langword="null"/> when there was none.</summary>
    public int? Seed { get; init; }

    /// <summary>Gets the calibration data behind the scores; empty when there is none.</summary>
    public IReadOnlyList<CalibrationSummary> Calibration { get; init; } = [];

    /// <summary>Gets the sparse layers, ascending.</summary>
    public required IReadOnlyList<LayerPlan> Layers { get; init; }

    /// <summary>
    /// Gets how many experts each layer keeps, when that is the same number everywhere; else <see langword="null"/>. Only such a
    /// plan can be written as a model, since a configuration has one number for all layers.
    /// </summary>
    public int? KeptExpertCount =>
        Layers.Select(layer => layer.KeptExperts.Count).Distinct().ToArray() is [int count] ? count : null;

    /// <summary>Gets what messages call the plan: its file when it has one.</summary>
    internal string DisplayName => FilePath is null ? "The plan" : $"'{FilePath}'";

    /// <summary>The file the plan was loaded from.</summary>
    internal string? FilePath { get; init; }

    /// <summary>Chooses the experts to keep by what was seen of them.</summary>
    /// <param name="statistics">The observation.</param>
    /// <param name="options">By what to choose, and how many.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="ArgumentException">
    /// The options ask for what cannot be: nothing dropped, fewer experts than a token visits, layers or experts that are not there.
    /// </exception>
    public static PruningPlan Create(ExpertStatistics statistics, PruningOptions options)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        ArgumentNullException.ThrowIfNull(options);
        return new PlanBuilder(statistics, options).Build();
    }

    /// <summary>Reads the plan off a pruned model, by finding each of its experts in the original, byte by byte.</summary>
    /// <param name="originalPath">The model before, as <see cref="Model.KimiLinearModel.Load"/> accepts it.</param>
    /// <param name="prunedPath">The model after, stored in the same format.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The plan, without scores.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such model.</exception>
    /// <exception cref="FileNotFoundException">A model lacks its configuration or weights.</exception>
    /// <exception cref="Configuration.ModelFormatException">
    /// A file is damaged, or an expert of the pruned model is none of the original's.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static PruningPlan Recover(
        string originalPath,
        string prunedPath,
        IProgress<PruneProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(originalPath);
        ArgumentException.ThrowIfNullOrEmpty(prunedPath);
        return PlanRecovery.Recover(originalPath, prunedPath, progress, cancellationToken);
    }

    /// <summary>Reads a plan and checks it.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="PruningFileException">
    /// It is no plan, or asks for what cannot be; the message names the file, the layer and what to do.
    /// </exception>
    public static PruningPlan Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PruningPlan plan = PruningPlanFile.Read(path);
        PruningPlanRules.Check(plan);
        return plan;
    }

    /// <summary>Writes a JSON file; it appears under its name only when it is whole.</summary>
    /// <param name="path">The file to make, or to replace. Its folder must exist.</param>
    /// <exception cref="PruningFileException">The plan, made by hand, asks for what cannot be.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PruningPlanRules.Check(this);
        AtomicFile.Write(path, stream => PruningPlanFile.Write(this, stream));
    }

    /// <summary>Tells where another plan for the same model keeps other experts.</summary>
    /// <param name="other">The other plan.</param>
    /// <returns>The difference, layer by layer.</returns>
    /// <exception cref="ArgumentException">The plans are for different models.</exception>
    public PlanDifference CompareWith(PruningPlan other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return PlanDifference.Between(this, other);
    }

    /// <summary>Draws the scores as a map of layers by experts, with what is dropped crossed out.</summary>
    /// <param name="path">The SVG file to make, or to replace. Its folder must exist.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Draw(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        AtomicFile.Write(path, stream => SaliencyMap.Write(this, stream));
    }
}
