using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Opens a model, checks it, and binds its weights to a backend.</summary>
internal static class ModelLoader
{
    // Reading this far between reports keeps a slow disk's progress smooth and a fast one's cheap.
    private const long PreloadReportBytes = 64L << 20;

    // The kernel maps files in pages of this size or larger.
    private const int MemoryPageBytes = 4096;

    public static KimiLinearModel Load(
        string modelPath,
        ModelLoadOptions options,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken) =>
        Load(
            modelPath,
            options,
            config => CpuBackends.Create(config, options.ThreadCount, options.Activations),
            progress,
            cancellationToken);

    /// <summary>Loads with a backend of the caller's choice.</summary>
    public static KimiLinearModel Load(
        string modelPath,
        ModelLoadOptions options,
        Func<KimiLinearConfig, ComputeBackend> createBackend,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ModelLocation location = ModelLocation.Find(modelPath);
        KimiLinearConfig config = location.LoadConfig();
        Checkpoint checkpoint = Checkpoint.Open(location);
        ModelWeights weights = new(checkpoint);
        ComputeBackend? backend = null;
        try
        {
            CheckpointSchema.Validate(checkpoint, config);
            long read = 0;
            if (options.Format != WeightFormat.Source)
            {
                read = weights.Convert(config, options.Format, options.ThreadCount, progress, cancellationToken);
            }

            bool preload = ShouldPreload(options.Preload, weights.ByteCount);
            if (preload)
            {
                Preload(weights, read, progress, cancellationToken);
            }

            backend = createBackend(config);
            // What was read has been reported already, and progress never goes back.
            bool reported = preload || read > 0;
            Network network = new WeightBinder(weights, backend, reported ? null : progress, cancellationToken).Bind();
            long total = weights.Tensors.Sum(tensor => tensor.ByteCount);
            progress?.Report(new ModelLoadProgress(total, total, "ready"));
            return new KimiLinearModel(location.Name, weights, backend, network);
        }
        catch
        {
            backend?.Dispose();
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Makes a model of random weights.</summary>
    public static KimiLinearModel CreateRandom(
        KimiLinearConfig config,
        WeightFormat format,
        ModelLoadOptions options,
        int seed,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (format == WeightFormat.Source || !Enum.IsDefined(format))
        {
            throw new ArgumentException(
                $"The format of random weights must be BFloat16, Q8, Q4 or Q4Q8, but is {format}: they have no source.",
                nameof(format));
        }

        KimiLinearConfigRanges.Check(config);
        ModelWeights weights = new(
            new RandomWeights(config, format, seed).Create(options.ThreadCount, progress, cancellationToken));
        ComputeBackend? backend = null;
        try
        {
            backend = CpuBackends.Create(config, options.ThreadCount, options.Activations);
            Network network = new WeightBinder(weights, backend, progress: null, cancellationToken).Bind();
            progress?.Report(new ModelLoadProgress(weights.ByteCount, weights.ByteCount, "ready"));
            return new KimiLinearModel(RandomWeights.Name, weights, backend, network);
        }
        catch
        {
            backend?.Dispose();
            weights.Dispose();
            throw;
        }
    }

    private static bool ShouldPreload(WeightPreload preload, long bytes) => preload switch
    {
        WeightPreload.Always => true,
        WeightPreload.Never => false,
        // Reading more than fits would push out what was read first.
        _ => bytes < GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 10 * 8,
    };

    // One byte per memory page brings the whole file in, in the order in which it lies on the disk.
    private static unsafe void Preload(
        ModelWeights weights, long done, IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        long total = done + weights.Mapped.Sum(tensor => tensor.ByteCount);
        long nextReport = 0;
        foreach (StoredTensor tensor in weights.Mapped)
        {
            for (long offset = 0; offset < tensor.ByteCount; offset += MemoryPageBytes)
            {
                Volatile.Read(ref tensor.Data[offset]);
                if (done + offset >= nextReport)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    progress?.Report(new ModelLoadProgress(done + offset, total, "reading weights"));
                    nextReport = done + offset + PreloadReportBytes;
                }
            }

            done += tensor.ByteCount;
        }
    }
}
