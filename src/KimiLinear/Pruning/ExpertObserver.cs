using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace KimiLinear.Pruning;

/// <summary>Watches which experts of a model calibration data visits, and how much they put out: the first step of REAP.</summary>
/// <remarks>
/// After "REAP the Experts" (arXiv 2510.13999), but each expert computes only the tokens that are routed to it, which is all the
/// criteria need. Sums are taken in float64 in the order of the tokens, so that the same call gives the same bits, whether it was
/// stopped in between or not, on any number of threads.
/// </remarks>
public static class ExpertObserver
{
    /// <summary>Observes a model that is loaded.</summary>
    /// <param name="model">The model; others may use it meanwhile.</param>
    /// <param name="data">What it reads.</param>
    /// <param name="options">How to observe; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it; what was saved is kept, and the same call goes on with it.</param>
    /// <returns>What was seen.</returns>
    /// <exception cref="ArgumentException">The data does not fit the model.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model has no experts, or one of them puts out what is no finite number.
    /// </exception>
    /// <exception cref="NotSupportedException">What the model computes on does not measure experts.</exception>
    /// <exception cref="IOException">
    /// The result is there and was made of something else, is being made by another process, or cannot be written.
    /// </exception>
    /// <exception cref="PruningFileException">What an earlier call has left belongs to another observation.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static ExpertStatistics Observe(
        KimiLinearModel model,
        CalibrationTokens data,
        ObservationOptions? options = null,
        IProgress<ObservationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        RequireMeasures(model.MeasuresExperts, model.DeviceDescription);
        Observation observation = new(
            model.Name, model.Checkpoint, model.Config, data, options ?? new ObservationOptions(), isLayerWise: false);
        return observation.Run((state, folder) =>
        {
            ExpertRecorder recorder = new(model.Config, state.Statistics);
            ObservationMeter meter = new(data.TokenCount, observation.Pass.TokensBefore(state.GroupsDone), progress);
            observation.Pass.Run(
                state.GroupsDone,
                model.CreateSequence,
                entries =>
                {
                    model.Forward(entries, [], recorder);
                    meter.Add(TokensOf(entries), "observing");
                },
                groups =>
                {
                    if (folder is not null && observation.IsSavingDue())
                    {
                        folder.Save(state with { GroupsDone = groups });
                    }
                },
                cancellationToken);
        });
    }

    /// <summary>Observes a model layer by layer, with the weights of one layer in memory at a time.</summary>
    /// <remarks>
    /// What lies between two layers is kept on disk, beside the result: 8 bytes for each token and hidden dimension. The result is
    /// that of <see cref="Observe"/>.
    /// </remarks>
    /// <param name="modelPath">The model, as <see cref="KimiLinearModel.Load"/> accepts it.</param>
    /// <param name="data">What it reads.</param>
    /// <param name="options">How to observe; <see cref="ObservationOptions.ResultPath"/> must be set.</param>
    /// <param name="loadOptions">How to compute, without conversion; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it; what was saved is kept, and the same call goes on with it.</param>
    /// <returns>What was seen.</returns>
    /// <exception cref="ArgumentException">
    /// The data does not fit the model, the options name no file, or the weights would have to be converted.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">There is no such model.</exception>
    /// <exception cref="FileNotFoundException">The model lacks its configuration or weights.</exception>
    /// <exception cref="ModelFormatException">A file of the model is damaged, or the model cannot be run.</exception>
    /// <inheritdoc cref="Observe" path="/exception"/>
    public static ExpertStatistics ObserveLayerWise(
        string modelPath,
        CalibrationTokens data,
        ObservationOptions options,
        ModelLoadOptions? loadOptions = null,
        IProgress<ObservationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        loadOptions ??= new ModelLoadOptions();
        if (options.ResultPath is null)
        {
            throw new ArgumentException("A result path must be set, since what lies between layers is kept beside it.", nameof(options));
        }

        if (loadOptions.Format != WeightFormat.Source)
        {
            throw new ArgumentException(
                "Layer by layer, weights are computed with as they are stored. Pack the model, or leave the format out.",
                nameof(loadOptions));
        }

        ModelLocation location = ModelLocation.Find(modelPath);
        KimiLinearConfig config = location.LoadConfig();
        using Checkpoint checkpoint = Checkpoint.Open(location);
        CheckpointSchema.Validate(checkpoint, config);
        Observation observation = new(location.Name, checkpoint, config, data, options, isLayerWise: true);
        LayerWiseObserver observer = new(observation, checkpoint, loadOptions, options, progress);
        return observation.Run((state, folder) => observer.Run(state, folder!, cancellationToken));
    }

    /// <summary>Refuses a device that does not tell what experts put out.</summary>
    internal static void RequireMeasures(bool measures, string device)
    {
        if (!measures)
        {
            throw new NotSupportedException(
                $"Experts cannot be observed on {device}. Choose the device cpu, torch:cpu or torch:cuda:0.");
        }
    }

    internal static int TokensOf(ReadOnlySpan<BatchEntry> entries)
    {
        int count = 0;
        foreach (BatchEntry entry in entries)
        {
            count += entry.TokenIds.Length;
        }

        return count;
    }
}
