using KimiLinear.Checkpoints;
using KimiLinear.Configuration;

namespace KimiLinear.Model;

/// <summary>Writes a copy of a model whose large matrices are stored in fewer bits.</summary>
/// <remarks>
/// <para>The weights stream through: memory use stays at some tens of megabytes whatever the model's size. Until the copy is
/// whole it lies in a folder named as the target with ".partial" behind it; when packing is stopped, or the process ends, the
/// same call goes on after the last finished file. The target appears at the end, in one step.</para>
/// <para>The configuration, the tokenizer, the chat template and the licence are copied from the source's folder. A GGUF file
/// holds its tokenizer inside: <see cref="ModelPackOptions.AddFiles"/> can write it.</para>
/// <para>The copy depends on the source's values and the format alone, not on the machine or the number of threads.</para>
/// </remarks>
public static class ModelPacker
{
    /// <summary>Packs a model.</summary>
    /// <param name="source">The model, as <see cref="KimiLinearModel.Load"/> accepts it.</param>
    /// <param name="target">The folder to make; it must not exist.</param>
    /// <param name="format">
    /// How the matrices are stored; not <see cref="WeightFormat.Source"/>, nor <see cref="WeightFormat.Float8"/>.
    /// </param>
    /// <param name="options">How to work; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops packing; finished files are kept, and the same call goes on with them.</param>
    /// <exception cref="ArgumentException">A path is empty, or <paramref name="format"/> names no format to write.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such source.</exception>
    /// <exception cref="FileNotFoundException">The source lacks its configuration or weights.</exception>
    /// <exception cref="ModelFormatException">
    /// A file of the source is damaged, the model cannot be run, or a weight that the format stores otherwise than the source is
    /// not a finite number below 2^100 in magnitude.
    /// </exception>
    /// <exception cref="IOException">
    /// The target exists, is being written by another process, would not fit on the disk, or cannot be written.
    /// </exception>
    /// <exception cref="OperationCanceledException">Packing was cancelled.</exception>
    public static void Pack(
        string source,
        string target,
        WeightFormat format,
        ModelPackOptions? options = null,
        IProgress<ModelPackProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        if (format is WeightFormat.Source or WeightFormat.Float8 || !Enum.IsDefined(format))
        {
            throw new ArgumentException(
                $"The format to pack into must be BFloat16, Q8, Q4 or Q4Q8, but is {format}.", nameof(format));
        }

        options ??= new ModelPackOptions();
        PartialFolder folder = new(target, "packed model");
        folder.RequireAbsentTarget();
        ModelLocation location = ModelLocation.Find(source);
        KimiLinearConfig config = location.LoadConfig();
        using Checkpoint checkpoint = Checkpoint.Open(location);
        CheckpointSchema.Validate(checkpoint, config);

        PackPlan plan = PackPlan.Create(checkpoint, config, format, options.MaxShardBytes);
        cancellationToken.ThrowIfCancellationRequested();
        if (folder.IsComplete(plan.Fingerprint))
        {
            return;
        }

        folder.RequireSpace(plan.TotalBytes, options.FreeSpace);
        using (ShardJournal journal = folder.Open(plan.Fingerprint, plan.JournalFiles))
        {
            try
            {
                new ShardPacker(plan, journal, folder, options.ThreadCount, progress).Run(cancellationToken);
                PackedModelFiles files = new(location, config, format, folder.PartialPath);
                string sourceHash = plan.SourceHash(journal);
                files.WriteIndex(plan, sourceHash);
                files.WriteConfig(sourceHash);
                files.CopyCompanions();
                options.AddFiles?.Invoke(folder.PartialPath);
            }
            catch when (!plan.Shards.Any(shard => journal.IsFinished(shard.FileName)))
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
}
