using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>One observation from its beginning to its file, whichever way the data goes through the model.</summary>
internal sealed class Observation
{
    private readonly ObservationOptions _options;
    private readonly string _key;
    private long _lastSaved = Stopwatch.GetTimestamp();

    /// <exception cref="ArgumentException">The data does not fit the model.</exception>
    /// <exception cref="InvalidOperationException">The model has no experts.</exception>
    public Observation(
        string modelName,
        Checkpoint checkpoint,
        KimiLinearConfig config,
        CalibrationTokens data,
        ObservationOptions options,
        bool isLayerWise)
    {
        if (!config.SparseLayers.Contains(true))
        {
            throw new InvalidOperationException("The model has no layer with experts, so there is nothing to observe.");
        }

        data.RequireFit(config);
        _options = options;
        Config = config;
        Data = data;
        Model = ObservedModel.Of(modelName, ModelFingerprint.Of(checkpoint, config), config);
        Pass = new CalibrationPass(data.Sequences, options.StepTokens);
        _key = Key(checkpoint, isLayerWise);
    }

    /// <summary>Observes from a state on; the folder is missing where nothing is saved.</summary>
    public delegate void Way(ObservationState state, ObservationFolder? folder);

    public KimiLinearConfig Config { get; }

    public CalibrationTokens Data { get; }

    public ObservedModel Model { get; }

    public CalibrationPass Pass { get; }

    /// <summary>Observes, or goes on, or takes what is there already.</summary>
    /// <exception cref="IOException">The result is there and was made of something else, or a file cannot be written.</exception>
    public ExpertStatistics Run(Way way)
    {
        ExpertStatistics fresh = new(Model, _options.GateMode, SparseLayers, _options.SumsOutputs ? Config.HiddenDim : 0);
        if (_options.ResultPath is not { } path)
        {
            way(new ObservationState(0, 0, fresh), null);
            fresh.AddCalibration(Data.Summary);
            return fresh;
        }

        if (File.Exists(path))
        {
            return TakeFinished(path);
        }

        ExpertStatistics statistics;
        using (ObservationFolder folder = ObservationFolder.Open(path, _key))
        {
            ObservationState state = folder.Load() ?? new ObservationState(0, 0, fresh);
            way(state, folder);
            statistics = state.Statistics;
            statistics.AddCalibration(Data.Summary);
            statistics.Save(path);
        }

        ObservationFolder.Remove(path);
        return statistics;
    }

    /// <summary>Whether it is time to save what is done.</summary>
    public bool IsSavingDue()
    {
        if (Stopwatch.GetElapsedTime(_lastSaved) < _options.SaveInterval)
        {
            return false;
        }

        _lastSaved = Stopwatch.GetTimestamp();
        return true;
    }

    private IEnumerable<int> SparseLayers =>
        Enumerable.Range(0, Config.LayerCount).Where(layer => Config.SparseLayers[layer]);

    // A process may have been killed when all was done but the removal of the folder.
    private ExpertStatistics TakeFinished(string path)
    {
        ExpertStatistics finished = ExpertStatistics.Load(path);
        bool isSame = finished.Model with { Name = Model.Name } == Model
            && finished.GateMode == _options.GateMode
            && finished.HasOutputSums == _options.SumsOutputs
            && finished.Calibration is [CalibrationSummary summary]
            && ExpertStatisticsFile.AreEqual(summary, Data.Summary);
        if (!isSame)
        {
            throw new IOException(
                $"'{path}' exists already and holds another observation. Remove it, or choose another file for the result.");
        }

        ObservationFolder.Remove(path);
        return finished;
    }

    // All that decides about the sums. Weights are told apart by how they are stored, which is quick.
    private string Key(Checkpoint checkpoint, bool isLayerWise)
    {
        StringBuilder text = new();
        _ = text.Append(
            CultureInfo.InvariantCulture,
            $"{Model.Fingerprint} {_options.GateMode} {_options.StepTokens} {isLayerWise} {Data.Summary.TokenHash} "
            + $"{_options.SumsOutputs}\n");
        foreach (StoredTensor tensor in checkpoint.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            _ = text.Append(CultureInfo.InvariantCulture, $"{tensor.Name} {tensor.DataType} {tensor.Shape}\n");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
