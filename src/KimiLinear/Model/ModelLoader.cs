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
            (config, checkpoint) => DeviceChoice.Make(config, checkpoint, options),
            progress,
            cancellationToken);

    /// <summary>Loads with a backend of the caller's choice, who is told whether weights are quantised.</summary>
    public static KimiLinearModel Load(
        string modelPath,
        ModelLoadOptions options,
        Func<KimiLinearConfig, bool, ComputeBackend> createBackend,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken) =>
        Load(
            modelPath,
            options,
            (config, checkpoint) =>
                new DeviceChoice(createBackend(config, checkpoint.HasQuantizedWeights), DeviceChoice.Named),
            progress,
            cancellationToken);

    private static KimiLinearModel Load(
        string modelPath,
        ModelLoadOptions options,
        Func<KimiLinearConfig, Checkpoint, DeviceChoice> choose,
        IProgress<ModelLoadProgress>? progress,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ModelLocation location = ModelLocation.Find(modelPath);
        KimiLinearConfig config = location.LoadConfig();
        Checkpoint checkpoint = Checkpoint.Open(location);
        ComputeBackend? backend = null;
        try
        {
            CheckpointSchema.Validate(checkpoint, config);
            WeightConversion conversion = new(checkpoint, config, options.Format);
            bool preload = !conversion.IsNeeded && ShouldPreload(options.Preload, checkpoint.TotalBytes);
            if (conversion.IsNeeded)
            {
                checkpoint = conversion.Run(options.ThreadCount, progress, cancellationToken);
            }
            else if (preload)
            {
                Preload(checkpoint, progress, cancellationToken);
            }

            DeviceChoice device = choose(config, checkpoint);
            backend = device.Backend;
            bool isQuantized = checkpoint.HasQuantizedWeights;
            // What was read has been reported already, and progress never goes back.
            bool wasRead = preload || conversion.IsNeeded;
            Network network = new WeightBinder(checkpoint, backend, wasRead ? null : progress, cancellationToken).Bind();
            long total = conversion.IsNeeded ? conversion.SourceBytes : checkpoint.Tensors.Sum(tensor => tensor.ByteCount);
            progress?.Report(new ModelLoadProgress(total, total, "ready"));
            return new KimiLinearModel(
                location.Name, checkpoint, device, network, options.LatentCacheFor(isQuantized && backend is HostBackend))
            {
                ThreadCount = options.ThreadCount,
            };
        }
        catch
        {
            backend?.Dispose();
            checkpoint.Dispose();
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
                $"The format of random weights must be BFloat16, Q8, Q4, Q4Q8 or Float8, but is {format}: they have no source.",
                nameof(format));
        }

        KimiLinearConfigRanges.Check(config);
        RandomWeights weights = new(config, format, seed)
        {
            // These copy what they bind.
            SharesMatrices = options.Device.Kind is ComputeDeviceKind.Cuda or ComputeDeviceKind.TorchCuda,
        };
        Checkpoint checkpoint = weights.Create(options.ThreadCount, progress, cancellationToken);
        ComputeBackend? backend = null;
        try
        {
            DeviceChoice device = DeviceChoice.Make(config, checkpoint, options);
            backend = device.Backend;
            bool isQuantized = checkpoint.HasQuantizedWeights;
            Network network = new WeightBinder(checkpoint, backend, progress: null, cancellationToken).Bind();
            progress?.Report(new ModelLoadProgress(checkpoint.TotalBytes, checkpoint.TotalBytes, "ready"));
            return new KimiLinearModel(
                RandomWeights.Name, checkpoint, device, network, options.LatentCacheFor(isQuantized && backend is HostBackend))
            {
                ThreadCount = options.ThreadCount,
            };
        }
        catch
        {
            backend?.Dispose();
            checkpoint.Dispose();
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
