using System.Globalization;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Writes a copy of a small model in which experts are merged instead of dropped; to compare pruning with.</summary>
/// <remarks>
/// As the published program leaves them, merged experts stand in all the places of those they were made of, and the router stays as it
/// is: the copy is as large as the source. Every expert computes every token in plain loops, so this is for models of some megabytes.
/// </remarks>
public static class ExpertMerger
{
    private const string WeightFileName = "model.safetensors";
    private const string Fingerprint = "merging";

    /// <summary>Merges the experts of a model and writes it.</summary>
    /// <param name="source">The folder of the model, stored in safetensors and not packed.</param>
    /// <param name="target">The folder to make; it must not exist.</param>
    /// <param name="data">What the model reads to find out which experts are alike.</param>
    /// <param name="options">How to merge, and into how many.</param>
    /// <param name="progress">Told how far reading has come, in tokens, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it; nothing is left then.</param>
    /// <returns>For each sparse layer, by its number counted from 0, the experts that were merged with each other.</returns>
    /// <exception cref="ArgumentException">
    /// The ratio is not above 0 and below 1, or would merge nothing; or the data does not fit the model.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">There is no such source.</exception>
    /// <exception cref="FileNotFoundException">The source lacks its configuration or weights.</exception>
    /// <exception cref="ModelFormatException">A file of the source is damaged.</exception>
    /// <exception cref="NotSupportedException">The source is a GGUF file, or its experts are not stored as plain numbers.</exception>
    /// <exception cref="IOException">The target exists or cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyDictionary<int, IReadOnlyList<int[]>> Merge(
        string source,
        string target,
        CalibrationTokens data,
        MergeOptions options,
        IProgress<ObservationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        PartialFolder folder = new(target, "merged model");

        // A model that a call killed at its very end has finished is refused as any other, without its journal.
        _ = folder.IsComplete(Fingerprint);
        folder.RequireAbsentTarget();
        ModelLocation location = ModelLocation.Find(source);
        if (location.IsGguf)
        {
            throw new NotSupportedException(
                $"'{location.Path}' is a GGUF file, but merging reads and writes safetensors. Merge the model that it was made of.");
        }

        using KimiLinearModel model = KimiLinearModel.Load(
            source, new ModelLoadOptions { Device = ComputeDevice.Cpu }, cancellationToken: cancellationToken);
        int count = CountFor(model.Config, options.Ratio);
        data.RequireFit(model.Config);
        RequirePlain(model.Checkpoint);
        MergeObserver observer = Observe(model, data, options, progress, cancellationToken);
        IReadOnlyDictionary<int, IReadOnlyList<int[]>> groups = Group(observer, options, count);
        using (ShardJournal journal = folder.Open(Fingerprint, [new JournalFile(WeightFileName, [])]))
        {
            try
            {
                Write(model, observer, groups, options.Method, folder.PartialPath, cancellationToken);
                CompanionFiles.Copy(location, folder.PartialPath);
                File.Copy(
                    Path.Combine(location.Path, KimiLinearConfigReader.FileName),
                    Path.Combine(folder.PartialPath, KimiLinearConfigReader.FileName),
                    overwrite: true);
            }
            catch
            {
                journal.Dispose();
                folder.Discard();
                throw;
            }
        }

        folder.Complete();
        return groups;
    }

    private static int CountFor(KimiLinearConfig config, decimal ratio)
    {
        int count = config.ExpertCount - (int)decimal.Floor(config.ExpertCount * ratio);
        return ratio is > 0 and < 1 && count < config.ExpertCount
            ? count
            : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"The ratio of experts to merge away must be below 1 and at least one of {config.ExpertCount}, but is {ratio}."));
    }

    private static void RequirePlain(Checkpoint checkpoint)
    {
        StoredTensor? other = checkpoint.Tensors.FirstOrDefault(tensor =>
            WeightNames.TryParseLayer(tensor.Name, out _, out string name)
            && WeightNames.SparseMoe.IsExpert(name)
            && tensor.DataType is not (DataType.Float32 or DataType.BFloat16 or DataType.Float16));
        if (other is not null)
        {
            throw new NotSupportedException(
                $"{other.Name} is stored as {other.DataType}, but merging averages weights and needs plain numbers. Merge the model that "
                + "this one was made of.");
        }
    }

    private static MergeObserver Observe(
        KimiLinearModel model,
        CalibrationTokens data,
        MergeOptions options,
        IProgress<ObservationProgress>? progress,
        CancellationToken cancellationToken)
    {
        MergeObserver observer = new(model.Checkpoint, model.Config);
        ObservationMeter meter = new(data.TokenCount, doneBefore: 0, progress);
        new CalibrationPass(data.Sequences, options.StepTokens).Run(
            0,
            model.CreateSequence,
            entries =>
            {
                model.Forward(entries, [], observer);
                foreach (BatchEntry entry in entries)
                {
                    meter.Add(entry.TokenIds.Length, "comparing experts");
                }
            },
            _ => { },
            cancellationToken);
        return observer;
    }

    private static SortedDictionary<int, IReadOnlyList<int[]>> Group(MergeObserver observer, MergeOptions options, int count)
    {
        int[] layers = [.. observer.Statistics.Keys];
        MergeStatistics[] statistics = [.. observer.Statistics.Values];
        bool isHierarchical = options.Method == MergeMethod.HcSmoe;
        ExpertSimilarity similarity = options.Similarity
            ?? (isHierarchical ? ExpertSimilarity.MeanOutput : ExpertSimilarity.RouterLogits);
        ExpertDistance distance = options.Distance ?? (isHierarchical ? ExpertDistance.Euclidean : ExpertDistance.Cosine);
        double[][,] distances = [.. statistics.Select(layer => layer.Distances(similarity, distance))];
        IReadOnlyList<IReadOnlyList<int[]>> groups = isHierarchical
            ? [.. distances.Select(layer => AverageLinkage.Cluster(layer, count))]
            : DominantExperts.Group([.. statistics.Select(layer => layer.Visits)], distances, count * layers.Length);
        return new SortedDictionary<int, IReadOnlyList<int[]>>(
            layers.Zip(groups).ToDictionary(pair => pair.First, pair => pair.Second));
    }

    private static void Write(
        KimiLinearModel model,
        MergeObserver observer,
        IReadOnlyDictionary<int, IReadOnlyList<int[]>> groups,
        MergeMethod method,
        string folder,
        CancellationToken cancellationToken)
    {
        Checkpoint checkpoint = model.Checkpoint;
        Dictionary<string, float[]> merged = [];
        foreach ((int layer, IReadOnlyList<int[]> ofLayer) in groups)
        {
            foreach (int[] group in ofLayer.Where(group => group.Length > 1))
            {
                cancellationToken.ThrowIfCancellationRequested();
                ExpertMatrices mean = MergeGroup(model, layer, group, observer.Statistics[layer].Visits, method);
                foreach (int expert in group)
                {
                    merged.Add(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertGate(expert)), mean.Gate);
                    merged.Add(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertUp(expert)), mean.Up);
                    merged.Add(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertDown(expert)), mean.Down);
                }
            }
        }

        using SafetensorsWriter writer = new(Path.Combine(folder, WeightFileName), new Dictionary<string, string> { ["format"] = "pt" });
        StoredTensor[] tensors = [.. checkpoint.Tensors.OrderByDescending(tensor => tensor.DataType.SizeInBytes())];
        foreach (StoredTensor tensor in tensors)
        {
            writer.Declare(tensor.Name, tensor.DataType, tensor.Shape.Lengths);
        }

        foreach (StoredTensor tensor in tensors)
        {
            writer.Write(tensor.Name, merged.TryGetValue(tensor.Name, out float[]? values)
                ? PlainNumbers.Encode(values, tensor.DataType)
                : BytesOf(tensor));
        }

        writer.Complete();
    }

    // Experts nobody visited count alike.
    private static ExpertMatrices MergeGroup(
        KimiLinearModel model, int layer, int[] group, IReadOnlyList<long> visits, MergeMethod method)
    {
        ExpertMatrices[] experts = [.. group.Select(expert => ExpertMatrices.Read(model.Checkpoint, layer, expert))];
        if (method == MergeMethod.MSmoe)
        {
            experts = [experts[0], .. experts.Skip(1).Select(expert => expert.MatchedTo(experts[0], model.Config))];
        }

        double[] weights = [.. group.Select(expert => (double)visits[expert])];
        return ExpertMatrices.Mean(experts, weights.Sum() > 0 ? weights : [.. weights.Select(_ => 1.0)]);
    }

    private static unsafe ReadOnlySpan<byte> BytesOf(StoredTensor tensor) => new(tensor.Data, checked((int)tensor.ByteCount));
}
