using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace KimiLinear.Pruning;

/// <summary>Writes a copy of a model without the experts that a plan drops.</summary>
/// <remarks>
/// <para>The weights stream through byte by byte: memory use stays below some hundred megabytes whatever the model's size. The copy is
/// stored as the source is: a folder of safetensors, published or packed, gives such a folder, file by file, and a GGUF file, whole
/// or in parts, gives a folder with one of the same parts.</para>
/// <para>Until the copy is whole it lies in a folder named as the target with ".partial" behind it; when pruning is stopped, or the
/// process ends, the same call goes on after the last finished file. The target appears at the end, in one step.</para>
/// <para>The tokenizer, the chat template, the modelling code and the licence are copied along; a README.md tells how the copy was
/// made, and pruning-plan.json holds the plan.</para>
/// </remarks>
public static class CheckpointPruner
{
    /// <summary>Writes the copy.</summary>
    /// <param name="source">The model, as <see cref="KimiLinearModel.Load"/> accepts it.</param>
    /// <param name="target">The folder to make; it must not exist.</param>
    /// <param name="plan">What is kept. All layers must keep the same number.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it; finished files are kept, and the same call goes on with them.</param>
    /// <exception cref="ArgumentException">A path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such source.</exception>
    /// <exception cref="FileNotFoundException">The source lacks its configuration or weights.</exception>
    /// <exception cref="PruningFileException">The plan does not fit the model.</exception>
    /// <exception cref="ModelFormatException">A file of the source is damaged, or experts are missing.</exception>
    /// <exception cref="IOException">
    /// The target exists, is being written by another process, would not fit on the disk, or cannot be written.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Prune(
        string source,
        string target,
        PruningPlan plan,
        IProgress<PruneProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Prune(source, target, plan, folder => DiskSpace.Free(folder) ?? long.MaxValue, progress, cancellationToken);

    // The same, with what tells the free bytes of the disk that holds a folder.
    internal static void Prune(
        string source,
        string target,
        PruningPlan plan,
        Func<string, long> freeSpace,
        IProgress<PruneProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(plan);
        PartialFolder folder = new(target, "pruned model");
        folder.RequireAbsentTarget();
        PruningPlanRules.Check(plan);
        ModelLocation location = ModelLocation.Find(source);
        KimiLinearConfig config = location.LoadConfig();
        using Checkpoint checkpoint = Checkpoint.Open(location);
        CheckpointSchema.Validate(checkpoint, config);
        PruningPlanRules.RequireFit(plan, config, ModelFingerprint.Of(checkpoint, config), source);

        string name = Path.GetFileName(folder.TargetPath);
        using PrunedFiles weights = PrunedFiles.Open(location, checkpoint, plan, name);
        PrunedModelFiles files = new(location, plan, folder.PartialPath);
        cancellationToken.ThrowIfCancellationRequested();
        string fingerprint = weights.Fingerprint(files.Config, files.Plan);
        if (folder.IsComplete(fingerprint))
        {
            return;
        }

        folder.RequireSpace(weights.TotalBytes, freeSpace);
        using (ShardJournal journal = folder.Open(fingerprint, weights.JournalFiles))
        {
            try
            {
                WriteWeights(weights, journal, folder, progress, cancellationToken);
                PrunedModelCard card = new(name, location, config, plan);
                files.Write(weights, card.Write(weights, journal.HashOf, checkpoint.TotalBytes));
            }
            catch when (!weights.Files.Any(file => journal.IsFinished(file.FileName)))
            {
                journal.Dispose();
                folder.Discard();
                throw;
            }
        }

        // Reads headers only, and finds out whether others will be able to read what was written.
        _ = ModelSummary.Inspect(folder.PartialPath);
        folder.Complete();
    }

    private static void WriteWeights(
        PrunedFiles weights,
        ShardJournal journal,
        PartialFolder folder,
        IProgress<PruneProgress>? progress,
        CancellationToken cancellationToken)
    {
        PrunedFile[] finished = [.. weights.Files.Where(file => journal.IsFinished(file.FileName))];
        CopyMeter meter = new(
            weights.TotalBytes,
            finished.Sum(file => file.ByteCount),
            (done, total, rate, left, step) => progress?.Report(new PruneProgress(done, total, rate, left, step)));
        if (journal.StartsAnew)
        {
            meter.Report("starting anew, since what had been begun was of another model or plan, or its files were written since");
        }

        for (int i = 0; i < weights.Files.Count; i++)
        {
            PrunedFile file = weights.Files[i];
            if (finished.Contains(file))
            {
                continue;
            }

            string step = $"writing file {i + 1} of {weights.Files.Count}";
            string hash = PrunedFileWriter.Write(
                file, folder.PartialPath, bytes => meter.Advance(bytes, step), cancellationToken);
            journal.Finish(file.FileName, new Dictionary<string, string> { [file.FileName] = hash });
            meter.Report(step);
        }

        meter.Report("finishing");
    }
}
