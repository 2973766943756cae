using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Opens a model folder, checks it, and binds its weights to a backend.</summary>
internal static class ModelLoader
{
    // Reading this far between reports keeps a slow disk's progress smooth and a fast one's cheap.
    private const long PreloadReportBytes = 64L << 20;

    // The kernel maps files in pages of this size or larger.
    private const int MemoryPageBytes = 4096;

    public static KimiLinearModel Load(
        string modelDirectory,
        ModelLoadOptions options,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken) =>
        Load(modelDirectory, options, config => CpuBackends.Create(config, options.ThreadCount), progress, cancellationToken);

    /// <summary>Loads with a backend of the caller's choice.</summary>
    public static KimiLinearModel Load(
        string modelDirectory,
        ModelLoadOptions options,
        Func<KimiLinearConfig, ComputeBackend> createBackend,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelDirectory);
        cancellationToken.ThrowIfCancellationRequested();
        if (!Directory.Exists(modelDirectory))
        {
            throw new DirectoryNotFoundException(
                $"The model folder '{modelDirectory}' does not exist{(File.Exists(modelDirectory) ? "; it is a file" : "")}.");
        }

        KimiLinearConfig config = KimiLinearConfig.Load(modelDirectory);
        Checkpoint checkpoint = Checkpoint.Open(modelDirectory);
        ComputeBackend? backend = null;
        try
        {
            CheckpointSchema.Validate(checkpoint, config);
            bool preload = ShouldPreload(options.Preload, checkpoint.TotalBytes);
            if (preload)
            {
                Preload(checkpoint, progress, cancellationToken);
            }

            backend = createBackend(config);
            // What was read has been reported already, and progress never goes back.
            Network network = new WeightBinder(checkpoint, backend, preload ? null : progress, cancellationToken).Bind();
            long total = checkpoint.Tensors.Sum(tensor => tensor.ByteCount);
            progress?.Report(new ModelLoadProgress(total, total, "ready"));
            return new KimiLinearModel(NameOf(modelDirectory), checkpoint, backend, network, options.LatentCache);
        }
        catch
        {
            backend?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>What a model is called: the name of its folder.</summary>
    public static string NameOf(string modelDirectory) =>
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelDirectory)));

    private static bool ShouldPreload(WeightPreload preload, long bytes) => preload switch
    {
        WeightPreload.Always => true,
        WeightPreload.Never => false,
        // Reading more than fits would push out what was read first.
        _ => bytes < GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 10 * 8,
    };

    // One byte per memory page brings the whole file in, in the order in which it lies on the disk.
    private static unsafe void Preload(
        Checkpoint checkpoint, IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        long total = checkpoint.Tensors.Sum(tensor => tensor.ByteCount);
        long done = 0;
        long nextReport = 0;
        foreach (StoredTensor tensor in checkpoint.Tensors)
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
